package scenarios

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

// filling is a journal on a disk that is full from a moment on: a write leaves half a line and fails.
type filling struct {
	journal.File
	full bool
}

func (f *filling) Write(p []byte) (int, error) {
	if !f.full {
		return f.File.Write(p)
	}
	n, _ := f.File.Write(p[:len(p)/2])
	return n, syscall.ENOSPC
}

func TestRun_FullDiskChangesNothing(t *testing.T) {
	for _, c := range []struct {
		before string // the change before which the disk is full
		want   []string
	}{
		{"", []string{}},
		{"start browse", []string{"start browse", "stop browse"}},
	} {
		t.Run("after "+c.before, func(t *testing.T) {
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				var disk *filling
				opts.createJournal = func(path string) (journal.File, error) {
					f, err := journal.Create(path)
					disk = &filling{f, c.before == ""}
					return disk, err
				}
				w.hook = func(call string) {
					if call == c.before {
						disk.full = true
					}
				}
				report, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts)
				if report.Result != Error || !errors.Is(err, syscall.ENOSPC) || ExitCode(report.Result, err) != 3 {
					t.Errorf("%s, %v", report.Result, err)
				}
				if got := w.did(); !slices.Equal(got, c.want) {
					t.Errorf("did %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestRun_DevFullChangesNothing(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		opts.createJournal = func(path string) (journal.File, error) {
			if f, err := journal.Create(path); err != nil || f.Close() != nil {
				t.Error(err)
			}
			return os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
		}
		report, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts)
		if report.Result != Error || !errors.Is(err, syscall.ENOSPC) || len(w.did()) > 0 {
			t.Errorf("%s, %v; did %q", report.Result, err, w.did())
		}
	})
}

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
			left := func() *world {
				w := newWorld()
				_ = w.Start(t.Context(), LoadSpec{Name: "browse", Rate: 80})
				_ = w.Scale(t.Context(), "userservice", 0)
				w.log = nil
				return w
			}
			inWorld(t, left, func(t *testing.T, ctx context.Context, w *world, _ Options) {
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

func TestUndo_UnusableLineBlocksNothing(t *testing.T) {
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
			inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
				report, err := Undo(ctx, w.target(), dir)
				if err == nil || len(report.Left) != 1 || report.Left[0].Problem == "" || w.replicas["userservice"] != 3 || len(w.loads) > 0 {
					t.Errorf("%v; %+v; %d replicas, %d loads", err, report, w.replicas["userservice"], len(w.loads))
				}
				time.Sleep(5 * time.Second) // until the pods are ready
				if run, err := Run(ctx, scenario(t, "pod-kill"), w.target(), Options{Journal: dir}); err != nil || run.Result != Pass {
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
		if _, err := Undo(t.Context(), newWorld().target(), filepath.Dir(path)); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRun_JournalFolderThatIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	if _, err := Run(t.Context(), scenario(t, "pod-kill"), w.target(), Options{Journal: dir}); err == nil || len(w.did()) > 0 {
		t.Errorf("%v; did %q", err, w.did())
	}
}

func TestForget_NumberOfTwoJournals(t *testing.T) {
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

func TestLeftovers_NotOfTheRunUnderWay(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
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
		if _, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts); err != nil {
			t.Error(err)
		}
	})
}
