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

// killedIn is the environment variable with the journal folder of a child process that kills itself in the middle of its run.
const killedIn = "SCENARIOS_TEST_KILLED_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedIn); dir != "" {
		die(dir)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// die runs the scenario outage in real time and kills its own process when the service is about to be scaled.
func die(dir string) {
	data, err := os.ReadFile("testdata/outage.yaml")
	if err != nil {
		return
	}
	sc, err := Parse("outage.yaml", []byte(strings.NewReplacer("for: 5s", "for: 300ms", "after: 2s", "after: 0s").Replace(string(data))))
	if err != nil {
		return
	}
	w := newFakeCluster()
	w.hook = func(call string) {
		if self, err := os.FindProcess(os.Getpid()); err == nil && strings.HasPrefix(call, "scale") {
			_ = self.Kill()
			select {}
		}
	}
	go w.run(context.Background())
	_, _ = Run(context.Background(), sc, w.target(), Options{Journal: dir})
}

func TestUndo_AfterARealKill(t *testing.T) {
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

func TestUndo_AfterAKill(t *testing.T) {
	for _, tc := range []struct {
		sentence, after string
		spoil           func(data []byte) []byte
		want            []string
	}{
		{"what was intended is undone, latest first", "scale userservice 0", nil, []string{"scale userservice 3", "stop browse"}},
		{"what came later was never done", "start browse", nil, []string{"stop browse"}},
		{"a torn last line was not done", "scale userservice 0", func(b []byte) []byte { return b[:len(b)-5] }, []string{"stop browse"}},
		{"what is undone already stays so", "scale userservice 0",
			func(b []byte) []byte { return append(b, []byte(`{"op":"undone","number":2}`+"\n")...) }, []string{"stop browse"}},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			dir := killed(t, tc.after)
			if tc.spoil != nil {
				files, _ := journal.Files(dir)
				data, err := os.ReadFile(files[0])
				if err == nil {
					err = os.WriteFile(files[0], tc.spoil(data), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
				// The second Undo has nothing left to do.
				for range 2 {
					if _, err := Undo(ctx, w.target(), dir); err != nil {
						t.Fatal(err)
					}
				}
				if got := w.did(); !slices.Equal(got, tc.want) {
					t.Errorf("did %q, want %q", got, tc.want)
				}
			})
		})
	}
}

func TestRun_UndoesLeftoversFirst(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
		report, err := Run(ctx, scenario(t, "kill"), w.target(), Options{Journal: dir})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.did(); !slices.Equal(got[:3], []string{"scale userservice 3", "stop browse", "start browse"}) {
			t.Errorf("did %q", got)
		}
		if m := report.Timeline[0]; !strings.Contains(m.Detail, "left by a killed run: scale userservice from 3 to 0") {
			t.Errorf("the timeline starts with %+v", m)
		}
	})
}
