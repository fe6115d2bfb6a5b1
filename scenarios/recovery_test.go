package scenarios

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

func TestRecovery_IsMeasuredAtTheCallers(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		report, err := Run(ctx, caseFile(t, "false-recovery", takenDown, backAgain, "99.9%", "90%"), w.target(), opts)
		if err != nil || report.Result != Pass {
			t.Fatalf("result %s, error %v", report.Result, err)
		}
		r, l := report.Recovery, report.Load[0]
		for name, c := range map[string]struct {
			got         *float64
			least, most float64
		}{
			"first failed call":     {r.FirstFailedSeconds, 0, 0.1},
			"last failed call":      {r.LastFailedSeconds, 6.8, 7.1},
			"longest outage":        {r.LongestOutageSeconds, 6.8, 7.1},
			"breaker opened":        {r.DetectSeconds, 0, 0.1},
			"breaker half-open":     {r.HalfOpenedSeconds, 3, 3.2},
			"breaker closed":        {r.ClosedSeconds, 7, 7.6},
			"load first failed":     {l.FirstFailedSeconds, 5, 5.1},
			"load last failed call": {l.LastFailedSeconds, 11.9, 12.1},
			"load longest outage":   {&l.LongestOutageSeconds, 6.8, 7.1},
		} {
			if c.got == nil || *c.got < c.least || *c.got > c.most {
				t.Errorf("%s: %v, want %v to %v", name, c.got, c.least, c.most)
			}
		}
		if l.Refused["BREAKER_OPEN"] == 0 || l.Failed != l.Errors["UNAVAILABLE"] || l.Refused["BREAKER_OPEN"] >= l.Failed {
			t.Errorf("%+v", l)
		}
		if !strings.HasPrefix(report.Summary, "PASS: ") || !strings.Contains(report.Summary, "calls failed, from +5.0 s on, for 7.0 s") {
			t.Errorf("summary %q", report.Summary)
		}
	})
}

func TestBreakerTimes_CountFromTheFault(t *testing.T) {
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	trace := expect.StateTrace{From: "a", To: "b", Method: "m"}
	for i, state := range []telemetry.BreakerState{"closed", "open", "half-open", "open", "closed"} {
		trace.Visits = append(trace.Visits, expect.Visit{State: state, At: epoch.Add(time.Duration(i) * time.Second)})
	}
	r := breakerTimes(report.Recovery{}, []expect.StateTrace{trace}, epoch.Add(500*time.Millisecond), epoch.Add(time.Minute))
	want := report.Recovery{DetectSeconds: new(0.5), HalfOpenedSeconds: new(1.5), ClosedSeconds: new(3.5), OpenSeconds: new(2.0), HalfOpenSeconds: new(1.0)}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(report.Recovery{}, breakerTimes(report.Recovery{}, nil, epoch, epoch)); diff != "" {
		t.Error(diff)
	}
}
