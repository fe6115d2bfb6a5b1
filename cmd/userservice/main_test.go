package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestABadEnvironmentIsExplainedOnce(t *testing.T) {
	for key, value := range map[string]string{"DRAIN_DELAY": "3", "DATABASE_ADDR": "x", "CHAT_KEEP": "0"} {
		var stderr bytes.Buffer
		env := map[string]string{key: value}
		if code := run(t.Context(), &stderr, func(key string) string { return env[key] }); code != 1 {
			t.Errorf("%s: exit code %d, want 1", key, code)
		}
		if got := stderr.String(); !strings.HasPrefix(got, "userservice: reading "+key) || strings.Count(got, "\n") != 1 {
			t.Errorf("it says %q", got)
		}
	}
}
