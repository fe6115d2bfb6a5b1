package governance

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// would returns how many calls rules in shadow mode would have refused.
func would(t *testing.T, m *Metrics, side, reason string) float64 {
	t.Helper()
	return metric(t, m, "sandbox_shadow_refused_total", "side", side, "reason", reason)
}

func TestShadow_LimitsAreCountedAndNotEnforced(t *testing.T) {
	const one, three = "{limits: [{tokenBucket: {rate: 1, burst: 1}}]}", "{limits: [{tokenBucket: {rate: 1, burst: 3}}]}"
	for _, c := range []struct {
		sentence, text string
		admitted       int
		reason         string
		would          float64
	}{
		{"a rate", "server: [{shadow: true, rate: " + one + "}]", 10, refusal.ReasonRateLimited, 9},
		{"a lower rate than the enforced one", "server: [{rate: " + three + "}, {shadow: true, rate: " + one + "}]", 3, refusal.ReasonRateLimited, 9},
		{"a higher rate than the enforced one", "server: [{rate: " + one + "}, {shadow: true, rate: " + three + "}]", 1, refusal.ReasonRateLimited, 7},
		{"in front of the enforced rate", "server: [{shadow: true, rate: " + one + "}, {rate: " + three + "}]", 3, refusal.ReasonRateLimited, 9},
		{"two rules in shadow mode, of which the last applies", "server: [{shadow: true, rate: " + one + "}, {shadow: true, rate: " + three + "}]", 10, refusal.ReasonRateLimited, 7},
		{"another method", "server: [{shadow: true, method: x.Y/Z, rate: " + one + "}]", 10, refusal.ReasonRateLimited, 0},
		{"a rate of all methods", "trials: [{shadow: true, rate: " + one + "}]", 10, refusal.ReasonRateLimited, 9},
		{"a rate of all methods, and an enforced one", "rate: " + three + "\ntrials: [{shadow: true, rate: " + one + "}]", 3, refusal.ReasonRateLimited, 9},
		{"callers", "server: [{shadow: true, callers: {allow: []}}]", 10, refusal.ReasonCallerNotAllowed, 10},
		{"what callers refuse takes no token", "server: [{shadow: true, callers: {allow: []}, rate: " + one + "}]", 10, refusal.ReasonRateLimited, 0},
		{"what enforced callers refuse takes no token", "server: [{callers: {allow: []}}, {shadow: true, rate: " + one + "}]", 0, refusal.ReasonRateLimited, 0},
		{"a required deadline", "server: [{shadow: true, deadline: {required: true}}]", 10, refusal.ReasonDeadlineRequired, 10},
		{"a share of the calls", "server: [{shadow: true, percent: 5, rate: " + one + "}]", 10, refusal.ReasonRateLimited, 0},
		{"another share of the calls", "server: [{shadow: true, percent: 6, rate: " + one + "}]", 10, refusal.ReasonRateLimited, 9},
		{"a share that is enforced", "server: [{percent: 6, rate: " + three + "}, {shadow: true, percent: 6, rate: " + one + "}]", 3, refusal.ReasonRateLimited, 9},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServing(t, c.text)
				if got := s.admitted(10, in); got != c.admitted {
					t.Errorf("%d of 10 calls are admitted, want %d", got, c.admitted)
				}
				if got := would(t, s.metrics, "server", c.reason); got != c.would {
					t.Errorf("%v would have been refused, want %v", got, c.would)
				}
				if all := metric(t, s.metrics, "sandbox_refused_total"); all != float64(10-c.admitted) {
					t.Errorf("%v are counted as refused", all)
				}
			})
		})
	}
}

// TestShadow_LeakyBucketDelaysNoCall also checks that the line which calls would have formed is as long as with an enforced rule.
func TestShadow_LeakyBucketDelaysNoCall(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{shadow: true, rate: {limits: [{leakyBucket: {rate: 10, queue: 3}}]}}]")
		start := time.Now()
		for range 6 {
			must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		}
		if got := would(t, s.metrics, "server", refusal.ReasonRateLimited); got != 2 || time.Since(start) > 0 {
			t.Errorf("%v of 6 calls would have been refused, after %s, want 2 at once", got, time.Since(start))
		}
		time.Sleep(100 * time.Millisecond)
		for range 2 {
			must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		}
		if got := would(t, s.metrics, "server", refusal.ReasonRateLimited); got != 3 {
			t.Errorf("%v would have been refused after another turn, want 3", got)
		}
		time.Sleep(time.Minute)
		for range 6 {
			must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		}
		if got := would(t, s.metrics, "server", refusal.ReasonRateLimited); got != 5 {
			t.Errorf("%v would have been refused after a pause, want 5", got)
		}
	})
}

func TestShadow_Bulkhead(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{bulkhead: {maxConcurrent: 3}}, {shadow: true, bulkhead: {maxConcurrent: 1}}]")
		nested := func(work func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error { return s.call(ctx, streaming, "a.B/C", work) }
		}
		err := nested(nested(nested(nested(fine))))(t.Context())
		s.refused(err, codes.ResourceExhausted, refusal.ReasonBulkheadFull, 1)
		// The second, the third and the fourth call, which was refused.
		if got := would(t, s.metrics, "server", refusal.ReasonBulkheadFull); got != 3 {
			t.Errorf("%v would have been refused, want 3", got)
		}
		must(t, nested(fine)(t.Context()))
		if got := would(t, s.metrics, "server", refusal.ReasonBulkheadFull); got != 3 {
			t.Errorf("%v would have been refused after all calls have ended", got)
		}
	})
}

func TestShadow_Shed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{priority: high}]\ntrials: [{shadow: true, shed: {minLimit: 1, maxLimit: 1}}]")
		for range 2 {
			must(t, s.call(t.Context(), false, "a.B/C", func(ctx context.Context) error { return s.call(ctx, false, "a.B/C", fine) }))
		}
		if got := would(t, s.metrics, "server", refusal.ReasonOverloaded); got != 2 {
			t.Errorf("%v would have been shed, want 2", got)
		}
		if got := allSeries(t, s.metrics, "sandbox_shed_limit"); len(got) != 0 {
			t.Errorf("the limit in shadow mode is shown as %v", got)
		}
	})
}

func TestShadow_DeadlineOfTheServer(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		for _, c := range []struct {
			sentence, text string
			given, took    time.Duration
			would          float64
		}{
			{"a slow call", "server: [{shadow: true, deadline: {timeout: 1s, streamTimeout: 1s}}]", 0, 2 * time.Second, 1},
			{"a fast call", "server: [{shadow: true, deadline: {timeout: 1s, streamTimeout: 1s}}]", 0, time.Second / 2, 0},
			{"a call with a deadline", "server: [{shadow: true, deadline: {timeout: 1s, streamTimeout: 1s}}]", time.Minute, 2 * time.Second, 0},
			{"the enforced deadline is earlier", "server: [{deadline: {timeout: 1s, streamTimeout: 1s}}, {shadow: true, deadline: {timeout: 1s, streamTimeout: 2s}}]", 0, 3 * time.Second, 0},
		} {
			s := newServing(t, c.text)
			ctx, cancel := context.WithCancel(t.Context())
			if c.given > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.given)
			}
			_ = s.call(ctx, streaming, "a.B/C", func(ctx context.Context) error { time.Sleep(c.took); return nil })
			cancel()
			if got := would(t, s.metrics, "server", shadowTimeout); got != c.would {
				t.Errorf("%s: %v would have been ended, want %v", c.sentence, got, c.would)
			}
		}
	})
}

// TestShadow_CallersOnHeaders checks that a list in shadow mode is evaluated under mutual TLS, also for callers that are refused on their headers.
func TestShadow_CallersOnHeaders(t *testing.T) {
	for _, c := range []struct {
		sentence, text string
		code           codes.Code
		would          float64
	}{
		{"only in shadow mode", "server: [{method: 'grpc.testing.*/*', shadow: true, callers: {allow: ['" + orders + "']}}]", codes.Canceled, 0},
		{"the enforced list refuses too", "server: [{method: 'grpc.testing.*/*', callers: {allow: ['" + orders + "']}}, {shadow: true, callers: {allow: []}}]", codes.PermissionDenied, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			metrics := NewMetrics()
			conn := called(t, visitor, fake{}, ServerConfig{Log: quiet, Metrics: metrics, Policy: policyOf(t, c.text)})
			wait := 5 * time.Second
			if c.code == codes.Canceled {
				wait = 50 * time.Millisecond
			}
			if err := headersOnly(t, conn, unaryMethod, 0, wait); status.Code(err) != c.code {
				t.Errorf("got %v", err)
			}
			if got := would(t, metrics, "server", refusal.ReasonCallerNotAllowed); got != c.would {
				t.Errorf("%v would have been refused, want %v", got, c.would)
			}
		})
	}
}

func TestShadow_LogAndEventAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		events := NewEvents(0)
		s := newServing(t, "server: [{shadow: true, rate: {limits: [{tokenBucket: {rate: 0.001}}]}}]")
		s.server = newServer(ServerConfig{Policy: s.policy, Metrics: s.metrics, Events: events, Log: NewLog(&log, nil)}.withDefaults())
		s.admitted(101, in)
		time.Sleep(throttledEvery)
		s.admitted(100, in)
		kept, _, _ := events.After(0)
		if len(kept) != 2 || kept[0].Kind != KindShadow || kept[0].Subject != "a.B/C" || kept[0].Detail != "would have refused a call: RATE_LIMITED" ||
			kept[1].Detail != "would have refused a call: RATE_LIMITED, and 99 others since the last event" || kept[0].Labels["side"] != "server" ||
			kept[0].Labels["method"] != "a.B/C" || kept[0].Labels["reason"] != refusal.ReasonRateLimited {
			t.Errorf("events %+v", kept)
		}
		if got := strings.Count(log.String(), "a rule in shadow mode would have refused a call"); got != 2 {
			t.Errorf("%d log records:\n%s", got, log.String())
		}
	})
}

func TestShadow_ChangeOfThePolicyKeepsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "server: [{shadow: true, rate: {limits: [{tokenBucket: {rate: 1, burst: 2}}]}}]"
		s := newServing(t, text)
		s.admitted(5, in)
		change(t, s.policy, "version: other\n"+text)
		s.admitted(5, in)
		if got := would(t, s.metrics, "server", refusal.ReasonRateLimited); got != 8 {
			t.Errorf("%v would have been refused, want 8", got)
		}
		change(t, s.policy, "version: none")
		s.admitted(5, in)
		if got := would(t, s.metrics, "server", refusal.ReasonRateLimited); got != 8 {
			t.Errorf("%v would have been refused without a rule in shadow mode", got)
		}
	})
}
