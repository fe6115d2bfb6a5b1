package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

func TestProgressScreen_PlainReminder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := newProgressScreen(process{stderr: &out, getenv: func(string) string { return "" }}, &globals{})
		s.observe(sandbox.Progress{Step: "releases"})
		s.observe(sandbox.Progress{Step: "image node", Doing: "compiling kube", Typical: 11 * time.Minute})
		time.Sleep(remindEvery + time.Second)
		s.observe(sandbox.Progress{Step: "image node", Done: true, Took: time.Second})
		time.Sleep(5 * remindEvery)
		s.close()
		const want = "  … image node: compiling kube, 30s so far (a cold build takes about 11m0s)\n"
		if got := out.String(); strings.Count(got, want) != 1 || strings.Count(got, "so far") != 1 {
			t.Errorf("want one line %q in\n%s", want, got)
		}
	})
}
