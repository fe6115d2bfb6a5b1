package scenarios

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

// killedIn names the journal folder to a child process that is to die in the middle of its run.
const killedIn = "SCENARIOS_TEST_KILLED_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedIn); dir != "" {
		die(dir)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// die runs breaker-trip in real time and kills its own process when the service is about to be scaled.
func die(dir string) {
	data, err := library.ReadFile("library/breaker-trip.yaml")
	if err != nil {
		return
	}
	sc, err := Parse("breaker-trip.yaml", []byte(strings.NewReplacer("for: 5s", "for: 300ms", "after: 2s", "after: 0s").Replace(string(data))))
	if err != nil {
		return
	}
	w := newWorld()
	w.hook = func(call string) {
		if self, err := os.FindProcess(os.Getpid()); err == nil && strings.HasPrefix(call, "scale") {
			_ = self.Kill()
			select {}
		}
	}
	go w.run(context.Background())
	_, _ = Run(context.Background(), sc, w.target(), Options{Journal: dir})
}

func TestARealKill9IsUndone(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), killedIn+"="+dir)
	if err := child.Run(); err == nil {
		t.Fatal("the child ended by itself")
	}
	left, err := journal.Files(dir)
	if err != nil || len(left) != 1 {
		t.Fatalf("journals: %v, %v", left, err)
	}
	w := abandonedBy(strings.TrimSuffix(filepath.Base(left[0]), journal.Ext) + "/browse")
	undone, err := Undo(t.Context(), w.target(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.did(), []string{"scale userservice 3", "stop browse"}; !slices.Equal(got, want) {
		t.Errorf("did %q, want %q; undone %q", got, want, undone)
	}
	if left, err := journal.Files(dir); err != nil || len(left) > 0 {
		t.Errorf("journals left: %v, %v", left, err)
	}
}
