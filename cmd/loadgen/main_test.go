package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun_BadEnvironment(t *testing.T) {
	for key, value := range map[string]string{"DRAIN_DELAY": "3", "TARGETS": "x"} {
		var stderr bytes.Buffer
		env := map[string]string{key: value}
		if code := run(t.Context(), &stderr, func(key string) string { return env[key] }); code != 1 {
			t.Errorf("%s: exit code %d, want 1", key, code)
		}
		if got := stderr.String(); !strings.HasPrefix(got, "loadgen: reading "+key) || strings.Count(got, "\n") != 1 {
			t.Errorf("it says %q", got)
		}
	}
}
