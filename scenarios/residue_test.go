package scenarios

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func remedies(err error) string {
	var all []string
	for _, r := range remedy.Of(err) {
		all = append(all, r.Text(nil))
	}
	return strings.Join(all, "; ")
}

func TestRun_ResidueNextToEveryResult(t *testing.T) {
	const journalled = "sandbox undo --list; sandbox undo"
	for _, c := range []struct {
		sentence  string
		name      string
		edits     []string
		world     func(w *world, interrupt func())
		result    Result
		code      int
		remedies  string
		journals  int
		inMessage bool
	}{
		{"every expectation held, and a pod does not come back", "pod-kill",
			[]string{"expect: [{ready: {release: userservice, replicas: 3}}]", "expect: [{ready: {release: userservice, replicas: 2}}]"},
			func(w *world, _ func()) { w.stuck = true }, Pass, 5, "sandbox status", 0, true},
		{"every expectation held, and the replicas cannot be put back", "breaker-trip",
			[]string{"heal: {step: take it down}", "wait: {for: 1s}",
				"  recover:\n    within: 60s\n    expect:\n      - ready: {release: userservice, replicas: 3}\n      - breaker: {from: loadgen, to: userservice, state: closed}\n", "",
				"visits: [closed, open, half-open, closed]", "visits: [closed, open]", "  abort: [", "  # abort: ["},
			func(w *world, _ func()) {
				time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
			}, Pass, 5, journalled, 1, true},
		{"an expectation was not met", "breaker-trip",
			[]string{"    - name: bring it back\n      heal: {step: take it down}\n", "", "within: 60s", "within: 1s", "      - ready: {release: userservice, replicas: 3}\n", "", "  abort: [", "  # abort: ["},
			func(w *world, _ func()) {
				time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
			}, Fail, 1, journalled, 1, false},
		{"a limit stopped it", "breaker-trip", []string{"  abort: [{availability: {of: browse, below: 1%, for: ", "  abort: [{availability: {of: browse, below: 50%, for: 4s}}] # "},
			func(w *world, _ func()) {
				time.AfterFunc(8*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")) })
			}, Aborted, 4, journalled, 1, false},
		{"it was interrupted", "breaker-trip", nil,
			func(w *world, interrupt func()) {
				time.AfterFunc(12*time.Second, func() { w.fail("Scale", errors.New("apiserver is away")); interrupt() })
			}, Error, 130, journalled, 1, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				interrupted, stop := context.WithCancel(ctx)
				defer stop()
				c.world(w, stop)
				started := time.Now()
				report, err := Run(interrupted, scenario(t, c.name, c.edits...), w.target(), opts)
				if report.Result != c.result || ExitCode(report.Result, err) != c.code {
					t.Errorf("result %s, exit code %d, want %s, %d; %v", report.Result, ExitCode(report.Result, err), c.result, c.code, err)
				}
				if len(report.Cleanup.Residue) == 0 || err == nil || !strings.Contains(err.Error(), "left behind: "+report.Cleanup.Residue[0]) || remedies(err) != c.remedies {
					t.Errorf("residue %q, error %v, remedies %q", report.Cleanup.Residue, err, remedies(err))
				}
				if strings.Contains(report.Message, "left behind") != c.inMessage {
					t.Errorf("message %q", report.Message)
				}
				if took := time.Since(started); took > 3*time.Minute {
					t.Errorf("it took %s", took)
				}
				if left, err := Leftovers(opts.Journal, 0); err != nil || len(left) != c.journals {
					t.Errorf("leftovers %+v, %v", left, err)
				}
				w.fail("Scale", nil)
				w.stuck = false
				if _, err := Undo(ctx, w.target(), opts.Journal); err != nil || w.replicas["userservice"] != 3 {
					t.Errorf("undo: %v, %d replicas", err, w.replicas["userservice"])
				}
			})
		})
	}
}

func TestRun_TakenLoadIsNotStopped(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		taken := bubbleRun[:len(bubbleRun)-len("breaker-trip")] + "pod-kill/browse"
		if err := w.Start(ctx, LoadSpec{Name: taken, Rate: 20}); err != nil {
			t.Fatal(err)
		}
		report, err := Run(ctx, scenario(t, "pod-kill"), w.target(), opts)
		if !errors.Is(err, ErrLoadTaken) || w.loads[taken] == nil {
			t.Errorf("%s, %v; did %q", report.Result, err, w.did())
		}
		if slices.Contains(w.did(), "stop browse") {
			t.Errorf("did %q", w.did())
		}
	})
}

func TestRun_LoadsHaveNamesOfTheirOwn(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		if err := w.Start(ctx, LoadSpec{Name: "browse", Rate: 20}); err != nil { // of another program
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
		report, err := Run(ctx, scenario(t, "pod-kill"), w.target(), opts)
		if err != nil || report.Result != Pass || report.Load[0].Name != "browse" {
			t.Errorf("%s, %v, loads %+v", report.Result, err, report.Load)
		}
		slices.Sort(seen)
		if want := []string{"20000101T000000.000000000Z-pod-kill/browse", "browse"}; !slices.Equal(seen, want) {
			t.Errorf("loads %q, want %q", seen, want)
		}
		if w.loads["browse"] == nil {
			t.Error("another program's load was stopped")
		}
	})
}

func TestDryRun_NamesWhatAKilledRunLeft(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	for name, plannable := range map[string]bool{"pod-kill": false, "load-burst": true} {
		inWorld(t, abandoned, func(t *testing.T, ctx context.Context, w *world, _ Options) {
			report, err := Run(ctx, scenario(t, name), w.target(), Options{Journal: dir, DryRun: true})
			if len(report.LeftBehind) != 2 || report.LeftBehind[1].Detail != "scale userservice from 3 to 0" {
				t.Errorf("%s: left behind %+v", name, report.LeftBehind)
			}
			switch {
			case plannable && err != nil:
				t.Errorf("%s: %v", name, err)
			case !plannable && (err == nil || !strings.Contains(err.Error(), "a killed run left behind: ") || remedies(err) != "sandbox undo"):
				t.Errorf("%s: %v; remedies %q", name, err, remedies(err))
			}
			if got := w.did(); len(got) > 0 {
				t.Errorf("%s: did %q", name, got)
			}
		})
	}
}
