package main

import (
	"os"
	"testing"
)

func TestScreenOptions_NoColor(t *testing.T) {
	for value, want := range map[string]bool{"": false, "1": true, "0": true} { // any value but none counts: no-color.org
		proc := process{getenv: func(name string) string { return map[string]string{"NO_COLOR": value}[name] }}
		if got := screenOptions(proc, os.Stdout, "blue", false); got.NoColor != want || got.Name != "blue" {
			t.Errorf("NO_COLOR=%q: %+v", value, got)
		}
	}
}
