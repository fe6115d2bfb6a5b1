package scenarios

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

func TestUndo_JournalsOfThePreviousVersion(t *testing.T) {
	for file, want := range map[string][]string{
		"previous-version":        {"rate browse 50/s", "scale userservice 3", "stop browse"},
		"previous-version-healed": {"scale userservice 3", "stop browse"},
	} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			data, err := os.ReadFile(filepath.Join("testdata", "journals", file+journal.Ext))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file+journal.Ext), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			left := func() *fakeCluster {
				w := newFakeCluster()
				_ = w.Start(t.Context(), LoadSpec{Name: "browse", Rate: 80})
				_ = w.Scale(t.Context(), "userservice", 0)
				w.log = nil
				return w
			}
			withCluster(t, left, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
				if _, err := Undo(ctx, w.target(), dir); err != nil {
					t.Error(err)
				}
				if got := w.did(); !slices.Equal(got, want) {
					t.Errorf("did %q, want %q", got, want)
				}
				if files, err := journal.Files(dir); err != nil || len(files) > 0 {
					t.Errorf("journals: %v, %v", files, err)
				}
			})
		})
	}
}

func TestUndo_ContinuesAfterAnUnusableLine(t *testing.T) {
	for sentence, line := range map[string]string{
		"not JSON":                "{not JSON\n",
		"an action of the future": `{"op":"intend","number":9,"kind":"rotate","detail":"rotate it","undo":{}}` + "\n",
		"an undo that is none":    `{"op":"intend","number":9,"kind":"scale","detail":"scale it","undo":7}` + "\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := killed(t, "scale userservice 0")
			files, _ := journal.Files(dir)
			data, err := os.ReadFile(files[0])
			if err == nil {
				err = os.WriteFile(files[0], append([]byte(line), data...), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
				report, err := Undo(ctx, w.target(), dir)
				if err == nil || len(report.Left) != 1 || report.Left[0].Problem == "" || w.replicas["userservice"] != 3 || len(w.loads) > 0 {
					t.Errorf("%v; %+v; %d replicas, %d loads", err, report, w.replicas["userservice"], len(w.loads))
				}
				// After 5 s the pods are ready.
				time.Sleep(5 * time.Second)
				if run, err := Run(ctx, scenario(t, "kill"), w.target(), Options{Journal: dir}); err != nil || run.Result != Pass {
					t.Errorf("a later run: %s, %v", run.Result, err)
				}
				if files, err := journal.Files(dir); err != nil || len(files) != 1 {
					t.Errorf("journals: %v, %v", files, err)
				}
				if n := report.Left[0].Number; n > 0 {
					if _, err := Forget(dir, n); err != nil {
						t.Error(err)
					}
					if files, err := journal.Files(dir); err != nil || len(files) != 0 {
						t.Errorf("journals once it is forgotten: %v, %v", files, err)
					}
				}
			})
		})
	}
}

func TestUndo_EmptyJournalIsRemoved(t *testing.T) {
	for _, text := range []string{"", `{"op":"run","scena`} {
		path := filepath.Join(t.TempDir(), "20260101T000000.000000000Z-x"+journal.Ext)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Undo(t.Context(), newFakeCluster().target(), filepath.Dir(path)); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestForget_AmbiguousNumber(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		line := `{"op":"intend","number":1,"kind":"scale","detail":"scale it","undo":{"release":"x","replicas":3}}` + "\n"
		if err := os.WriteFile(filepath.Join(dir, name+journal.Ext), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Forget(dir, 1); err == nil || !strings.Contains(remedies(err), filepath.Join(dir, "a"+journal.Ext)) {
		t.Errorf("%v; remedies %q", err, remedies(err))
	}
}

func TestLeftovers_ExcludeTheRunInProgress(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.hook = func(call string) {
			if call != "scale userservice 0" {
				return
			}
			if left, err := Leftovers(opts.Journal, os.Getpid()); err != nil || len(left) > 0 {
				t.Errorf("%+v, %v", left, err)
			}
			if left, err := Leftovers(opts.Journal, 0); err != nil || len(left) != 2 {
				t.Errorf("with no run under way: %+v, %v", left, err)
			}
		}
		if _, err := Run(ctx, scenario(t, "outage"), w.target(), opts); err != nil {
			t.Error(err)
		}
	})
}

func TestUndo_AfterHealingBelowALaterChange(t *testing.T) {
	dir := t.TempDir()
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.hook = func(call string) {
			if call == "stop browse" {
				copyJournals(t, opts.Journal, dir)
			}
		}
		if _, err := Run(ctx, caseFile(t, "heal-under-a-later-scale"), w.target(), opts); err != nil {
			t.Error(err)
		}
	})
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
		_ = w.Scale(ctx, "userservice", 1)
		if _, err := Undo(ctx, w.target(), dir); err != nil || w.replicas["userservice"] != 3 {
			t.Errorf("%v; %d replicas", err, w.replicas["userservice"])
		}
	})
}

func TestUndo_LeavesAnotherProgramsChangeAlone(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
		// A day later, a user runs kubectl scale --replicas=5.
		_ = w.Scale(ctx, "userservice", 5)
		report, err := Undo(ctx, w.target(), dir)
		if err != nil || w.replicas["userservice"] != 5 || len(w.loads) > 0 {
			t.Errorf("%v; the user's 5 replicas became %d; %d loads", err, w.replicas["userservice"], len(w.loads))
		}
		want := []string{"scale userservice from 3 to 0: left alone: replicas of userservice is 5, and the run had set it to 0"}
		if !slices.Equal(report.LeftAlone, want) {
			t.Errorf("left alone %q, want %q", report.LeftAlone, want)
		}
	})
}

func TestUndo_ContinuesAfterAFailure(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
		w.fail("Scale", errors.New(`deployments.apps "userservice" not found`))
		report, err := Undo(ctx, w.target(), dir)
		var behind *LeftError
		if !errors.As(err, &behind) || len(report.Left) != 1 || len(report.Undone) != 1 || len(w.loads) != 0 {
			t.Errorf("%v; %+v; %d loads still run", err, report, len(w.loads))
		}
		if left, err := Leftovers(dir, 0); err != nil || len(left) != 1 || left[0].Subject != "replicas of userservice" {
			t.Errorf("left: %+v, %v", left, err)
		}
		w.fail("Scale", nil)
		if _, err := Undo(ctx, w.target(), dir); err != nil || w.replicas["userservice"] != 3 {
			t.Errorf("%v; %d replicas", err, w.replicas["userservice"])
		}
	})
}

func TestUndo_ResumesAfterAnInterruption(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
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

func TestUndo_KeepsAnUnreadableJournal(t *testing.T) {
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
			_, err := Undo(t.Context(), newFakeCluster().target(), dir)
			if ExitCode(Error, err) != exitUnfit || err == nil {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("the journal is gone: %v", err)
			}
		})
	}
}
