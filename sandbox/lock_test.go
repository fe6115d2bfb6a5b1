package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestLock_SecondCommandNamesHolder(t *testing.T) {
	for _, c := range []struct {
		first, second string
		remedies      string
	}{
		{"up", "down", "wait for it, or take another sandbox with --name"},
		{"run mine", "down", "sandbox down --stop-run; wait for it, or take another sandbox with --name"},
		{"run mine", "up", "wait for it, or take another sandbox with --name"},
		{"down", "run mine", "wait for it, or take another sandbox with --name"},
	} {
		t.Run(c.first+" and "+c.second, func(t *testing.T) {
			f := newFolders(t)
			unlock, err := Lock(f, "one", c.first)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Lock(f, "one", c.second)
			var locked *LockedError
			if !errors.As(err, &locked) || locked.Name != "one" || locked.Holder.Verb != c.first || locked.Holder.PID != os.Getpid() {
				t.Fatalf("got %v", err)
			}
			fixture.WantError(t, err, "sandbox \"one\" is being changed by `sandbox "+c.first+"`, process ")
			var said []string
			for _, r := range remedy.Of(err) {
				said = append(said, r.Text(nil))
			}
			if got := strings.Join(said, "; "); got != c.remedies {
				t.Errorf("remedies %q, want %q", got, c.remedies)
			}
			if h, held := Holder(f, "one"); !held || h.Verb != c.first {
				t.Errorf("Holder: %v, %v", h, held)
			}
			other, err := Lock(f, "two", c.second)
			if err != nil {
				t.Fatalf("another sandbox is locked too: %v", err)
			}
			other()
			unlock()
			again, err := Lock(f, "one", c.second)
			if err != nil {
				t.Fatalf("unlocked, it is still locked: %v", err)
			}
			again()
			if left, _ := filepath.Glob(filepath.Join(f.Config, "*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestLock_SurvivesRemovalOfTheSandboxFolder(t *testing.T) {
	f := newFolders(t)
	unlock, err := Lock(f, "one", "down")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := os.RemoveAll(f.of("one")); err != nil {
		t.Fatal(err)
	}
	_, err = Lock(f, "one", "up")
	fixture.WantError(t, err, "is being changed by `sandbox down`")
}
