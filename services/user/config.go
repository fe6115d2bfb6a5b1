package user

import (
	"strconv"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Config bounds what rooms keep. The zero value of each field means what stands beside it.
type Config struct {
	Keep  int64         // 10000: how many messages a room keeps, the newest
	Every time.Duration // 1m: how often older ones are looked for; until then a room may have more
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
