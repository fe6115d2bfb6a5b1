package scenarios

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

// killed runs breaker-trip, and returns the journal as a kill -9 would have left it right after the call.
func killed(t *testing.T, after string) string {
	t.Helper()
	left := t.TempDir()
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		w.hook = func(call string) {
			if call != after {
				return
			}
			files, err := journal.Files(opts.Journal)
			if err != nil || len(files) != 1 {
				t.Errorf("before %q is done it is not in a journal: %v, %v", call, files, err)
				return
			}
			data, err := os.ReadFile(files[0])
			if err == nil {
				err = os.WriteFile(filepath.Join(left, filepath.Base(files[0])), data, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
		if _, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts); err != nil {
			t.Error(err)
		}
	})
	return left
}

// bubbleRun is the name of a run of breaker-trip that starts with the clock of a bubble.
const bubbleRun = "20000101T000000.000000000Z-breaker-trip"

// abandoned is the world that the killed run leaves: the load goes on, the service is away.
func abandoned() *world { return abandonedBy(bubbleRun + "/browse") }

func abandonedBy(load string) *world {
	w := newWorld()
	ctx := context.Background()
	_ = w.Start(ctx, LoadSpec{Name: load, Rate: 50})
	_ = w.Scale(ctx, "userservice", 0)
	w.log = nil
	return w
}

func TestUndoAfterKill9(t *testing.T) {
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
			inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
				for range 2 { // the second time there is nothing left to do
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

func TestUndoThatIsInterruptedGoesOnWhereItStopped(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
		w.fail("Stop", context.DeadlineExceeded)
		if _, err := Undo(ctx, w.target(), dir); err == nil {
			t.Fatal("no error")
		}
		w.fail("Stop", nil)
		if _, err := Undo(ctx, w.target(), dir); err != nil {
			t.Fatal(err)
		}
		if got, want := w.did(), []string{"scale userservice 3", "stop browse"}; !slices.Equal(got, want) {
			t.Errorf("did %q, want %q", got, want)
		}
	})
}

func TestRunFirstUndoesWhatAKilledOneLeft(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
		report, err := Run(ctx, scenario(t, "pod-kill"), w.target(), Options{Journal: dir})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.did(); !slices.Equal(got[:3], []string{"scale userservice 3", "stop browse", "start browse"}) {
			t.Errorf("did %q", got)
		}
		if m := report.Timeline[0]; !strings.Contains(m.Detail, "left by a killed run: scale userservice from 3 to 0") {
			t.Errorf("timeline begins with %+v", m)
		}
	})
}

func TestUndoRefusesAJournalItCannotRead(t *testing.T) {
	for sentence, line := range map[string]string{
		"not JSON":                 "not JSON\n",
		"an action it cannot undo": `{"op":"intend","number":1,"kind":"rotate","undo":{}}` + "\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, time.Now().Format("20060102")+journal.Ext)
			if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Undo(t.Context(), newWorld().target(), dir)
			if ExitCode(Error, err) != exitUnfit || err == nil {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("the journal is gone: %v", err)
			}
		})
	}
}
