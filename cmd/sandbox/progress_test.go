package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
)

// paper is a terminal that supports only the escape sequence that the progress screen uses: move up some lines and clear from there.
type paper struct{ lines []string }

func (p *paper) Write(data []byte) (int, error) {
	text := string(data)
	if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
		up, after, _ := strings.Cut(rest, "A\x1b[J")
		var n int
		if _, err := fmt.Sscan(up, &n); err != nil || n > len(p.lines) {
			return 0, fmt.Errorf("the terminal of %d lines does not understand %q", len(p.lines), text)
		}
		p.lines, text = p.lines[:len(p.lines)-n], after
	}
	for line := range strings.Lines(text) {
		p.lines = append(p.lines, strings.TrimSuffix(line, "\n"))
	}
	return len(data), nil
}

func TestProgressScreen_Live(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{}
		s := startProgressScreen(p, true, nil)
		see := func(sentence string, want ...string) {
			t.Helper()
			s.mu.Lock()
			defer s.mu.Unlock()
			var got []string
			for _, line := range p.lines {
				got = append(got, strings.TrimLeft(line, " ⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s:\ngot\n  %s\nwant\n  %s", sentence, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		}
		s.observe(sandbox.Progress{Step: "engine"})
		see("a step that started", "engine  0 s")
		s.observe(sandbox.Progress{Step: "image node", Doing: "compiling kubelet", Typical: 11 * time.Minute})
		see("two at once, one with a usual time", "engine  0 s", "image node: compiling kubelet  0 s of about 660 s")
		// This is the fake clock of synctest.
		<-time.After(2 * time.Second)
		see("time goes on without news", "engine  2 s", "image node: compiling kubelet  2 s of about 660 s")
		s.observe(sandbox.Progress{Step: "engine", Note: "using podman"})
		see("a note stays above", "· engine: using podman", "engine  2 s", "image node: compiling kubelet  2 s of about 660 s")
		s.observe(sandbox.Progress{Step: "engine", Done: true, Took: 2 * time.Second})
		see("a step that ended stays", "· engine: using podman", "✓ engine (2.0 s)", "image node: compiling kubelet  2 s of about 660 s")
		s.observe(sandbox.Progress{Step: "cluster", Done: true, Err: errors.New("no"), Took: 1500 * time.Millisecond})
		s.close()
		see("at the end nothing moves", "· engine: using podman", "✓ engine (2.0 s)", "✗ cluster (1.5 s)")
	})
}

func TestProgressScreen_Plain(t *testing.T) {
	var out strings.Builder
	s := startProgressScreen(&out, false, (&globals{name: "blue"}).commandLine)
	for _, p := range []sandbox.Progress{
		{Step: "engine"},
		{Step: "engine", Doing: "probing docker"},
		// A repeated event is not printed again.
		{Step: "engine", Doing: "probing docker"},
		{Step: "engine", Note: "using podman"},
		{Step: "engine", Done: true, Took: 1100 * time.Millisecond},
		{Step: "trust", Note: "kept the root", Remedies: []remedy.Remedy{remedy.Command("certs", "rotate-root").If("it is to be replaced")}},
		{Step: "image node", Doing: "compiling kubelet", Typical: 11 * time.Minute},
		{Step: "image node", Done: true, Err: errors.New("no")},
	} {
		s.observe(p)
	}
	s.close()
	const want = `  … engine: probing docker
  · engine: using podman
  ✓ engine (1.1 s)
  · trust: kept the root; try: sandbox certs rotate-root --name blue   (if it is to be replaced)
  … image node: compiling kubelet (a cold build takes about 11m0s)
  ✗ image node (0.0 s)
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestClip_EndsWithAnEllipsis(t *testing.T) {
	for _, c := range []struct {
		width int
		want  string
	}{{80, "  ⠋ engine"}, {11, "  ⠋ engine"}, {10, "  ⠋ engi…"}, {3, " …"}, {2, "…"}, {1, "…"}} {
		if got := clip("  ⠋ engine", c.width); got != c.want {
			t.Errorf("%d columns: %q, want %q", c.width, got, c.want)
		}
	}
}
