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

// filling is a journal on a disk that can be full: a write then leaves half a line and fails.
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
		// before is the change before which the disk becomes full.
		before string
		want   []string
	}{
		{"", []string{}},
		{"start browse", []string{"start browse", "stop browse"}},
	} {
		t.Run("after "+c.before, func(t *testing.T) {
			withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
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
				report, err := Run(ctx, scenario(t, "outage"), w.target(), opts)
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

func TestRun_FullDeviceChangesNothing(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		opts.createJournal = func(path string) (journal.File, error) {
			if f, err := journal.Create(path); err != nil || f.Close() != nil {
				t.Error(err)
			}
			return os.OpenFile("/dev/full", os.O_WRONLY|os.O_APPEND, 0)
		}
		report, err := Run(ctx, scenario(t, "outage"), w.target(), opts)
		if report.Result != Error || !errors.Is(err, syscall.ENOSPC) || len(w.did()) > 0 {
			t.Errorf("%s, %v; did %q", report.Result, err, w.did())
		}
	})
}

func TestRun_JournalFolderIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newFakeCluster()
	if _, err := Run(t.Context(), scenario(t, "kill"), w.target(), Options{Journal: dir}); err == nil || len(w.did()) > 0 {
		t.Errorf("%v; did %q", err, w.did())
	}
}

func TestRun_DoesNotStopATakenLoad(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		taken := bubbleRun[:len(bubbleRun)-len("outage")] + "kill/browse"
		if err := w.Start(ctx, LoadSpec{Name: taken, Rate: 20}); err != nil {
			t.Fatal(err)
		}
		report, err := Run(ctx, scenario(t, "kill"), w.target(), opts)
		if !errors.Is(err, ErrLoadTaken) || w.loads[taken] == nil {
			t.Errorf("%s, %v; did %q", report.Result, err, w.did())
		}
		if slices.Contains(w.did(), "stop browse") {
			t.Errorf("did %q", w.did())
		}
	})
}

func TestRun_LoadsHaveUniqueNames(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		// This load belongs to another program.
		if err := w.Start(ctx, LoadSpec{Name: "browse", Rate: 20}); err != nil {
			t.Fatal(err)
		}
		var seen []string
		w.hook = func(call string) {
			if strings.HasPrefix(call, "kill") {
				for name := range w.loads {
					seen = append(seen, name)
				}
			}
		}
		report, err := Run(ctx, scenario(t, "kill"), w.target(), opts)
		if err != nil || report.Result != Pass || report.Load[0].Name != "browse" {
			t.Errorf("%s, %v, loads %+v", report.Result, err, report.Load)
		}
		slices.Sort(seen)
		if want := []string{"20000101T000000.000000000Z-kill/browse", "browse"}; !slices.Equal(seen, want) {
			t.Errorf("loads %q, want %q", seen, want)
		}
		if w.loads["browse"] == nil {
			t.Error("another program's load was stopped")
		}
	})
}

// TestBuiltin_PassesInAHealthyCluster: what a step measures needs a real cluster, whose services call each other.
func TestBuiltin_PassesInAHealthyCluster(t *testing.T) {
	for _, sc := range Builtin() {
		t.Run(sc.Name, func(t *testing.T) {
			cluster := func() *fakeCluster { return newFakeClusterFor(sc) }
			withCluster(t, cluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				report, err := Run(ctx, sc, w.target(), opts)
				wrong := err != nil
				for _, f := range report.Expectations {
					wrong = wrong || f.Phase != "measure" && !f.Met()
				}
				if wrong {
					var b strings.Builder
					_ = report.WriteText(&b)
					t.Errorf("result %s, error %v\n%s", report.Result, err, b.String())
				}
			})
		})
	}
}

func TestRun_ResumesALostEventStream(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		time.AfterFunc(11*time.Second, w.hangUp)
		report, err := Run(ctx, scenario(t, "outage"), w.target(), opts)
		if err != nil || report.Result != Pass {
			t.Errorf("result %s, error %v, %+v", report.Result, err, report.Expectations)
		}
	})
}

func TestRun_StartsDespiteAnUnusableLeftover(t *testing.T) {
	dir := t.TempDir()
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
		lines := `{"op":"run","scenario":"old"}` + "\n" + `{"op":"intend","number":4,"kind":"scale","detail":"scale gone from 2 to 0","undo":{"release":"gone","replicas":2,"set":0}}` + "\n"
		if err := os.WriteFile(filepath.Join(dir, "19990101T000000.000000000Z-old"+journal.Ext), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Run(ctx, scenario(t, "kill"), w.target(), Options{Journal: dir})
		if err != nil || report.Result != Pass {
			t.Errorf("%s, %v", report.Result, err)
		}
		if len(report.LeftBehind) != 1 || report.LeftBehind[0].Number != 4 || !strings.Contains(report.LeftBehind[0].Problem, `no release "gone"`) {
			t.Errorf("left behind: %+v", report.LeftBehind)
		}
		left, err := Leftovers(dir, 0)
		if err != nil || len(left) != 1 {
			t.Fatalf("left: %+v, %v", left, err)
		}
		if _, err := Forget(dir, 5); err == nil {
			t.Error("a number that is not on the list was forgotten")
		}
		if l, err := Forget(dir, 4); err != nil || l.Detail != "scale gone from 2 to 0" {
			t.Errorf("forgot %+v, %v", l, err)
		}
		if files, err := journal.Files(dir); err != nil || len(files) > 0 {
			t.Errorf("journals: %v, %v", files, err)
		}
	})
}
