package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestABadEnvironmentIsExplainedOnce(t *testing.T) {
	var stderr bytes.Buffer
	env := map[string]string{"DRAIN_DELAY": "3"}
	if code := run(t.Context(), &stderr, func(key string) string { return env[key] }); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if got := stderr.String(); !strings.HasPrefix(got, "userservice: reading DRAIN_DELAY") || strings.Count(got, "\n") != 1 {
		t.Errorf("it says %q", got)
	}
}
