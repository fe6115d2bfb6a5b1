package user

import (
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestConfigFromEnv_ChatSettings(t *testing.T) {
	for _, c := range []struct {
		sentence string
		env      map[string]string
		want     Config
		problem  string
	}{
		{"an empty environment", nil, Config{Keep: 10_000, Every: time.Minute}, ""},
		{"fewer messages, and sooner", map[string]string{"CHAT_KEEP": "50", "CHAT_PRUNE_EVERY": "5s"}, Config{Keep: 50, Every: 5 * time.Second}, ""},
		{"a room that keeps nothing", map[string]string{"CHAT_KEEP": "0"}, Config{}, `reading CHAT_KEEP: "0" is not a number of messages; try: 10000`},
		{"a time without a unit", map[string]string{"CHAT_PRUNE_EVERY": "60"}, Config{}, `reading CHAT_PRUNE_EVERY: "60" is not a duration; try: 1m`},
		{"no time at all", map[string]string{"CHAT_PRUNE_EVERY": "0s"}, Config{}, "reading CHAT_PRUNE_EVERY"},
	} {
		got, err := ConfigFromEnv(func(key string) string { return c.env[key] })
		if (c.problem == "") != (err == nil) || err != nil && !strings.Contains(remedy.Line(err, nil), c.problem) {
			t.Errorf("%s: got %v", c.sentence, err)
		}
		if err == nil && got.withDefaults() != c.want {
			t.Errorf("%s: got %+v", c.sentence, got.withDefaults())
		}
	}
}
