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

// editedCase parses one of testdata/cases, edited.
func editedCase(t *testing.T, name string, edits ...string) Scenario {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "cases", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("%s does not contain %q", name, edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	sc, err := Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestHeal_BelowALaterChange(t *testing.T) {
	const steps = "    - {name: a little, scale: {release: userservice, replicas: 2}}\n    - {name: some more, scale: {release: userservice, replicas: 1}}\n" +
		"    - {name: back, heal: {step: a little}}\n"
	for _, c := range []struct {
		sentence, steps string
		want            []string // changes after the load's start
	}{
		{"the earlier of two scales", steps, []string{"scale userservice 2", "scale userservice 1", "stop browse", "scale userservice 3"}},
		{"the later of two scales", strings.Replace(steps, "step: a little", "step: some more", 1),
			[]string{"scale userservice 2", "scale userservice 1", "scale userservice 2", "stop browse", "scale userservice 3"}},
		{"the middle of three", strings.SplitN(steps, "    - {name: back", 2)[0] +
			"    - {name: least, scale: {release: userservice, replicas: 0}}\n    - {name: back, heal: {step: some more}}\n    - {name: up, heal: {step: least}}\n",
			[]string{"scale userservice 2", "scale userservice 1", "scale userservice 0", "scale userservice 2", "stop browse", "scale userservice 3"}},
		{"the earlier of two rates", strings.NewReplacer("scale: {release: userservice, replicas: 2}", "setRate: {load: browse, rate: 60/s}",
			"scale: {release: userservice, replicas: 1}", "setRate: {load: browse, rate: 70/s}").Replace(steps) + "    - {name: last, heal: {step: some more}}\n",
			[]string{"rate browse 60/s", "rate browse 70/s", "rate browse 50/s", "stop browse"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				report, err := Run(ctx, editedCase(t, "heal-under-a-later-scale", steps, c.steps), w.target(), opts)
				if err != nil || len(report.Cleanup.Residue) > 0 {
					t.Errorf("%v; left behind: %q", err, report.Cleanup.Residue)
				}
				if got := w.did()[1:]; !slices.Equal(got, c.want) {
					t.Errorf("did %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestParse_BackgroundIsTheGeneratorsOwnLoad(t *testing.T) {
	_, err := Load(filepath.Join("testdata", "cases", "takes-the-background.yaml"))
	var file *FileError
	if !errors.As(err, &file) || ExitCode(Error, err) != 2 || len(file.Problems) != 1 || file.Problems[0].Line != 8 {
		t.Errorf("got %v", err)
	}
}

func TestUndo_HealBelowALaterChangeSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		w.hook = func(call string) {
			if call == "stop browse" {
				copyJournals(t, opts.Journal, dir)
			}
		}
		if _, err := Run(ctx, editedCase(t, "heal-under-a-later-scale"), w.target(), opts); err != nil {
			t.Error(err)
		}
	})
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, _ Options) {
		_ = w.Scale(ctx, "userservice", 1)
		if _, err := Undo(ctx, w.target(), dir); err != nil || w.replicas["userservice"] != 3 {
			t.Errorf("%v; %d replicas", err, w.replicas["userservice"])
		}
	})
}

func copyJournals(t *testing.T, from, to string) {
	files, err := journal.Files(from)
	if err != nil || len(files) == 0 {
		t.Errorf("journals: %v, %v", files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestUndo_LeavesAloneWhatAnotherProgramChanged(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
		_ = w.Scale(ctx, "userservice", 5) // kubectl scale --replicas=5, a day later
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

func TestRun_LeavesAloneWhatAnotherProgramChanged(t *testing.T) {
	for sentence, c := range map[string]struct {
		edits  []string
		change func(context.Context, *world) error
		kept   func(*world) bool
		want   string
	}{
		"replicas": {[]string{"heal: {step: take it down}", "wait: {for: 5s}", "      - ready: {release: userservice, replicas: 3}\n", ""},
			func(ctx context.Context, w *world) error { return w.Scale(ctx, "userservice", 4) },
			func(w *world) bool { return w.replicas["userservice"] == 4 },
			"scale userservice from 3 to 0: left alone: replicas of userservice is 4, and the run had set it to 0"},
		"a rate": {[]string{"    - name: hold the outage\n", "    - name: faster\n      setRate: {load: browse, rate: 80/s, for: 9s}\n    - name: hold the outage\n"},
			func(ctx context.Context, w *world) error { return w.SetRate(ctx, bubbleRun+"/browse", 7) },
			func(w *world) bool { return !slices.Contains(w.log, "rate browse 50/s") },
			"set browse from 50/s to 80/s: left alone: rate of browse is 7/s, and the run had set it to 80/s"},
	} {
		t.Run(sentence, func(t *testing.T) {
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				time.AfterFunc(12*time.Second, func() {
					if err := c.change(ctx, w); err != nil {
						t.Error(err)
					}
				})
				report, err := Run(ctx, scenario(t, "breaker-trip", c.edits...), w.target(), opts)
				if err != nil || len(report.Cleanup.Residue) > 0 || !c.kept(w) {
					t.Errorf("%v; residue %q; did %q", err, report.Cleanup.Residue, w.did())
				}
				if !slices.Equal(report.Cleanup.LeftAlone, []string{c.want}) {
					t.Errorf("left alone %q, want %q", report.Cleanup.LeftAlone, c.want)
				}
			})
		})
	}
}

func TestUndo_LeavesTheWholeStackAlone(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		time.AfterFunc(5*time.Second, func() { _ = w.Scale(ctx, "userservice", 5) })
		report, err := Run(ctx, editedCase(t, "heal-under-a-later-scale", "    - {name: back, heal: {step: a little}}\n", "    - {name: wait, wait: {for: 5s}}\n"), w.target(), opts)
		if err != nil || w.replicas["userservice"] != 5 || len(report.Cleanup.LeftAlone) != 1 || len(report.Cleanup.Residue) > 0 {
			t.Errorf("%v; %d replicas; %+v", err, w.replicas["userservice"], report.Cleanup)
		}
	})
}

func TestUndo_OneDeadEntryBlocksNothing(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
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

func TestRun_StartsAlthoughAnEarlierChangeCannotBeUndone(t *testing.T) {
	dir := t.TempDir()
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, _ Options) {
		lines := `{"op":"run","scenario":"old"}` + "\n" + `{"op":"intend","number":4,"kind":"scale","detail":"scale gone from 2 to 0","undo":{"release":"gone","replicas":2,"set":0}}` + "\n"
		if err := os.WriteFile(filepath.Join(dir, "19990101T000000.000000000Z-old"+journal.Ext), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Run(ctx, scenario(t, "pod-kill"), w.target(), Options{Journal: dir})
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
