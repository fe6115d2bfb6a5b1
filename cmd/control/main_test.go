package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun_BadEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a duration without a unit": {map[string]string{"DRAIN_DELAY": "3"}, "control: reading DRAIN_DELAY"},
		"no namespace":              {nil, "control: POD_NAMESPACE is not set"},
		"not in a pod":              {map[string]string{"POD_NAMESPACE": "sandbox-system"}, "control: connecting to the API server"},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), &stderr, func(key string) string { return c.env[key] }); code != 1 {
			t.Errorf("%s: exit code %d, want 1", name, code)
		}
		if got := stderr.String(); !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
