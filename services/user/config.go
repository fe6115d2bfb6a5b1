package user

import (
	"strconv"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Config limits what chat rooms keep. The zero value of each field selects the default in its comment.
type Config struct {
	// Keep is the number of messages that a room keeps. Older ones are pruned. Default: 10000.
	Keep int64
	// Every is the interval of pruning; until the next one a room may have more messages. Default: 1m.
	Every time.Duration
}

func (c Config) withDefaults() Config {
	if c.Keep == 0 {
		c.Keep = 10_000
	}
	if c.Every == 0 {
		c.Every = time.Minute
	}
	return c
}

// ConfigFromEnv reads CHAT_KEEP, a number of messages, and CHAT_PRUNE_EVERY, a duration.
func ConfigFromEnv(getenv func(string) string) (cfg Config, err error) {
	if text := getenv("CHAT_KEEP"); text != "" {
		if cfg.Keep, err = strconv.ParseInt(text, 10, 64); err != nil || cfg.Keep < 1 {
			return Config{}, remedy.Errorf(remedy.Value("10000"), "reading CHAT_KEEP: %q is not a number of messages", text)
		}
	}
	if text := getenv("CHAT_PRUNE_EVERY"); text != "" {
		if cfg.Every, err = time.ParseDuration(text); err != nil || cfg.Every <= 0 {
			return Config{}, remedy.Errorf(remedy.Value("1m"), "reading CHAT_PRUNE_EVERY: %q is not a duration", text)
		}
	}
	return cfg, nil
}
