package scenarios

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

// inWorld runs f in a bubble of fake time in which the world lives.
func inWorld(t *testing.T, w func() *world, f func(t *testing.T, ctx context.Context, w *world, opts Options)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		made := w()
		var living sync.WaitGroup
		living.Go(func() { made.run(ctx) })
		f(t, ctx, made, Options{Journal: dir})
		cancel()
		living.Wait()
	})
	if left, _ := journal.Files(dir); len(left) > 0 && !strings.Contains(t.Name(), "Residue") {
		t.Errorf("journals left: %v", left)
	}
}

func scenario(t *testing.T, name string, edits ...string) Scenario {
	t.Helper()
	data, err := library.ReadFile("library/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("%s does not hold %q", name, edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	sc, err := Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestBuiltinScenariosPassInAHealthyWorld(t *testing.T) {
	for _, sc := range Builtin() {
		t.Run(sc.Name, func(t *testing.T) {
			inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				report, err := Run(ctx, sc, w.target(), opts)
				if err != nil || report.Result != Pass {
					var b strings.Builder
					_ = report.WriteText(&b)
					t.Fatalf("result %s, error %v\n%s", report.Result, err, b.String())
				}
			})
		})
	}
}

func TestRunOutcome(t *testing.T) {
	const trip = "breaker-trip"
	for _, tc := range []struct {
		sentence string
		name     string
		edits    []string
		world    func(*world)
		result   Result
		failed   []string
		message  string
	}{
		{"an availability below its limit fails", trip,
			[]string{"  expect:\n    # It", "  expect:\n    - availability: {of: browse, atLeast: 99%}\n    # It"}, nil,
			Fail, []string{"availability of browse"}, "1 of 6 expectations did not hold"},
		{"a latency above its limit fails", "pod-kill", nil, func(w *world) { w.latency = 300 * time.Millisecond },
			Fail, []string{"p99 latency of browse"}, "1 of 5 expectations did not hold"},
		{"a generator that drops arrivals fails sent", "load-burst", nil, func(w *world) { w.burstUnsent = 0.05 },
			Fail, []string{"availability of browse", "p99 latency of browse", "sent of browse"}, "3 of 4 expectations did not hold"},
		{"a generator that drops arrivals leaves the steady state unknown", "load-burst", nil, func(w *world) { w.unsent = 0.05 },
			Fail, []string{"availability of browse"},
			"the steady state was not met, so nothing was broken: availability of browse unknown, wanted ≥ 99.9 %"},
		{"a breaker that probes more than once is not an exact trace", trip, []string{"visits: [", "trace: ["}, nil,
			Fail, []string{"breaker trace loadgen → userservice"}, "1 of 5 expectations did not hold"},
		{"a pod that does not come back fails ready", "pod-kill", nil, func(w *world) { w.stuck = true },
			Fail, []string{"ready pods of userservice"}, "1 of 5 expectations did not hold"},
		{"a breaker that does not open fails the step and leaves the others out", trip, nil, func(w *world) { w.trip = false },
			Fail, []string{"breaker state loadgen → userservice", "breaker visits loadgen → userservice"}, "2 of 3 expectations did not hold"},
		{"a world that is not healthy is not broken further", "pod-kill", nil, func(w *world) { w.failures = 0.02 },
			Fail, []string{"availability of browse"},
			"the steady state was not met, so nothing was broken: availability of browse 98.1818 %, wanted ≥ 99.9 %"},
		{"a limit stops the run", trip, []string{"below: 1%, for: 30s", "below: 50%, for: 4s"}, nil,
			Aborted, nil, "stopped by its limit: availability of browse below 50% for 4s, observed 43.5%"},
		{"a target that is not there is found in the plan", trip, []string{"scale: {release: userservice", "scale: {release: nowhere"}, nil,
			Error, nil, `reading replicas of nowhere: no release "nowhere"`},
		{"killing more pods than there are is found in the plan", "pod-kill", []string{"count: 1", "count: 4"}, nil,
			Error, nil, `planning step "kill one replica": killing 4 pods of userservice: 3 ready`},
		{"loads that cannot be read stop the run", "pod-kill", []string{"after: 5s", "after: 60s"},
			func(w *world) { time.AfterFunc(10*time.Second, func() { w.fail("Read", errors.New("no route")) }) },
			Error, nil, "reading loads for 10s: no route"},
		{"loads that answer nothing stop the run too", "pod-kill", []string{"after: 5s", "after: 60s"},
			func(w *world) { time.AfterFunc(10*time.Second, func() { w.fail("Read", errMute) }) },
			Error, nil, "reading loads for 10s: context deadline exceeded"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			made := func() *world {
				w := newWorld()
				if tc.world != nil {
					tc.world(w)
				}
				return w
			}
			dir := t.TempDir()
			inWorld(t, made, func(t *testing.T, ctx context.Context, w *world, opts Options) {
				opts.Journal = dir
				report, err := Run(ctx, scenario(t, tc.name, tc.edits...), w.target(), opts)
				if behind := (*LeftError)(nil); report.Result != Error && errors.As(err, &behind) {
					err = nil // said next to the verdict
				}
				if report.Result != tc.result || (err != nil) != (tc.result == Error) {
					t.Errorf("result %s, error %v; want %s", report.Result, err, tc.result)
				}
				if !strings.HasPrefix(report.Message, tc.message) || tc.message == "" {
					t.Errorf("message %q, want %q", report.Message, tc.message)
				}
				var failed []string
				for _, f := range report.Expectations {
					if f.Result == "fail" {
						failed = append(failed, f.Name)
					}
				}
				if !slices.Equal(failed, tc.failed) {
					t.Errorf("failed %q, want %q", failed, tc.failed)
				}
				if n, _ := w.Replicas(ctx, "userservice"); n != 3 {
					t.Errorf("%d replicas left", n)
				}
			})
		})
	}
}

func (w *world) fail(method string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[method] = err
}

func TestUnhealthyWorldIsNotTouched(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		w.failures = 0.5
		if _, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts); err != nil {
			t.Fatal(err)
		}
		if got, want := w.did(), []string{"start browse", "stop browse"}; !slices.Equal(got, want) {
			t.Errorf("did %q, want %q", got, want)
		}
	})
}

func TestLostEventStreamIsResumed(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		time.AfterFunc(11*time.Second, w.hangUp)
		report, err := Run(ctx, scenario(t, "breaker-trip"), w.target(), opts)
		if err != nil || report.Result != Pass {
			t.Errorf("result %s, error %v, %+v", report.Result, err, report.Expectations)
		}
	})
}

func TestDryRunChangesNothing(t *testing.T) {
	inWorld(t, newWorld, func(t *testing.T, ctx context.Context, w *world, opts Options) {
		for _, sc := range Builtin() {
			report, err := Run(ctx, sc, w.target(), Options{DryRun: true})
			if err != nil || report.Result != Planned || len(report.Steps) != len(sc.Steps) {
				t.Errorf("%s: %s, %v", sc.Name, report.Result, err)
			}
		}
		if got := w.did(); len(got) > 0 {
			t.Errorf("did %q", got)
		}
	})
	if files, err := os.ReadDir("."); err != nil || slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.HasSuffix(f.Name(), journal.Ext) }) {
		t.Errorf("a journal was written: %v", err)
	}
}
