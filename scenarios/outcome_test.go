package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// reports returns a report of outage for each way in which it can end.
func reports(t *testing.T) map[string]Report {
	t.Helper()
	out := map[string]Report{}
	for name, edits := range map[string][]string{
		"pass": nil, "fail": {"visits: [", "trace: ["}, "aborted": {"below: 1%, for: 30s", "below: 50%, for: 4s"}, "plan": nil,
	} {
		withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
			opts.DryRun = name == "plan"
			report, err := Run(ctx, scenario(t, "outage", edits...), w.target(), opts)
			if err != nil {
				t.Error(err)
			}
			out[name] = report
		})
	}
	return out
}

func TestReport_Golden(t *testing.T) {
	for name, report := range reports(t) {
		t.Run(name, func(t *testing.T) {
			var plain, asJSON, junit bytes.Buffer
			if err := errors.Join(report.WriteText(&plain), report.WriteJSON(&asJSON), report.WriteJUnit(&junit)); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", plain.Bytes())
			if name != "plan" {
				golden(t, name+".json", asJSON.Bytes())
				golden(t, name+".xml", junit.Bytes())
			}
		})
	}
}

func TestExitCode_OfResultsAndErrors(t *testing.T) {
	for _, tc := range []struct {
		result Result
		err    error
		want   int
	}{
		{Pass, nil, 0}, {Planned, nil, 0}, {Fail, nil, 1}, {Error, &FileError{}, 2}, {Error, fmt.Errorf("x: %w", ErrUnknown), 2},
		{Error, errors.New("no cluster"), 3}, {Error, nil, 3}, {Aborted, nil, 4}, {Error, fmt.Errorf("x: %w", context.Canceled), 130},
	} {
		if got := ExitCode(tc.result, tc.err); got != tc.want {
			t.Errorf("ExitCode(%s, %v) = %d, want %d", tc.result, tc.err, got, tc.want)
		}
	}
}

func TestRun_Outcome(t *testing.T) {
	const trip = "outage"
	for _, tc := range []struct {
		sentence    string
		name        string
		edits       []string
		fakeCluster func(*fakeCluster)
		result      Result
		failed      []string
		message     string
	}{
		{"an availability below its limit fails", trip,
			[]string{"  expect:\n    # It", "  expect:\n    - availability: {of: browse, atLeast: 99%}\n    # It"}, nil,
			Fail, []string{"availability of browse"}, "1 of 6 expectations did not hold"},
		{"a latency above its limit fails", "kill", nil, func(w *fakeCluster) { w.latency = 300 * time.Millisecond },
			Fail, []string{"p99 latency of browse"}, "1 of 5 expectations did not hold"},
		{"a generator that drops arrivals fails sent", "burst", nil, func(w *fakeCluster) { w.burstUnsent = 0.05 },
			Fail, []string{"availability of browse", "p99 latency of browse", "sent of browse"}, "3 of 4 expectations did not hold"},
		{"a generator that drops arrivals leaves the steady state unknown", "burst", nil, func(w *fakeCluster) { w.unsent = 0.05 },
			Fail, []string{"availability of browse"},
			"the steady state was not met, so nothing was broken: availability of browse unknown, wanted ≥ 99.9 %"},
		{"a breaker that probes more than once is not an exact trace", trip, []string{"visits: [", "trace: ["}, nil,
			Fail, []string{"breaker trace loadgen → userservice"}, "1 of 5 expectations did not hold"},
		{"a pod that does not come back fails ready", "kill", nil, func(w *fakeCluster) { w.stuck = true },
			Fail, []string{"ready pods of userservice"}, "1 of 5 expectations did not hold"},
		{"a breaker that does not open fails the step and leaves the others out", trip, nil, func(w *fakeCluster) { w.trip = false },
			Fail, []string{"breaker state loadgen → userservice", "breaker visits loadgen → userservice"}, "2 of 3 expectations did not hold"},
		{"an unhealthy cluster is not broken further", "kill", nil, func(w *fakeCluster) { w.failures = 0.02 },
			Fail, []string{"availability of browse"},
			"the steady state was not met, so nothing was broken: availability of browse 98.1818 %, wanted ≥ 99.9 %"},
		{"a limit stops the run", trip, []string{"below: 1%, for: 30s", "below: 50%, for: 4s"}, nil,
			Aborted, nil, "stopped by its limit: availability of browse below 50% for 4s, observed 43.5%"},
		{"a target that is not there is found in the plan", trip, []string{"scale: {release: userservice", "scale: {release: nowhere"}, nil,
			Error, nil, `reading replicas of nowhere: no release "nowhere"`},
		{"killing more pods than there are is found in the plan", "kill", []string{"count: 1", "count: 4"}, nil,
			Error, nil, `planning step "kill one replica": killing 4 pods of userservice: 3 ready`},
		{"loads that cannot be read stop the run", "kill", []string{"after: 5s", "after: 60s"},
			func(w *fakeCluster) {
				time.AfterFunc(10*time.Second, func() { w.fail("Read", errors.New("no route")) })
			},
			Error, nil, "reading loads for 10s: no route"},
		{"loads that answer nothing stop the run too", "kill", []string{"after: 5s", "after: 60s"},
			func(w *fakeCluster) { time.AfterFunc(10*time.Second, func() { w.fail("Read", errMute) }) },
			Error, nil, "reading loads for 10s: context deadline exceeded"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			made := func() *fakeCluster {
				w := newFakeCluster()
				if tc.fakeCluster != nil {
					tc.fakeCluster(w)
				}
				return w
			}
			dir := t.TempDir()
			withCluster(t, made, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				opts.Journal = dir
				report, err := Run(ctx, scenario(t, tc.name, tc.edits...), w.target(), opts)
				if behind := (*LeftError)(nil); report.Result != Error && errors.As(err, &behind) {
					// The LeftError is returned in addition to the verdict.
					err = nil
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

func (w *fakeCluster) fail(method string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[method] = err
}

func TestReport_HasEveryExpectation(t *testing.T) {
	for name, r := range reports(t) {
		if name == "plan" {
			continue
		}
		sc := scenario(t, "outage")
		want := len(sc.Steady.Expect) + 1 + len(sc.Recover.Expect) + len(sc.Expect)
		if len(r.Expectations) != want {
			t.Errorf("%s: %d expectations in the report, %d in the file", name, len(r.Expectations), want)
		}
	}
}

func TestReport_FitsEightyColumns(t *testing.T) {
	for name, r := range reports(t) {
		var b strings.Builder
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Timeline {
			b.WriteString(TimelineLine(telemetry.Event{At: m.At, Kind: m.Kind, Subject: m.Subject, Detail: m.Detail}, r.StartedAt))
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > text.Columns {
				t.Errorf("%s: %d text.Columns: %s", name, n, line)
			}
		}
	}
}
