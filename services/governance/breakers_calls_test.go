package governance

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// begin admits a call and returns the function that ends it.
func begin(b *Breakers, callee, method string) (done func(error), err error) {
	m := b.of(edge{callee, bareMethod(method)})
	t, err := m.allow(nil)
	return func(err error) {
		c := &clientCall{clientRuled: &clientRuled{rule: &policy.ClientRule{}, breaker: m}, ctx: context.Background(), ticket: t}
		if status.Code(err) == codes.Canceled {
			// The caller has left.
			left, leave := context.WithCancel(context.Background())
			leave()
			c.ctx = left
		}
		c.tellBreaker(err, 0)
	}, err
}

// rig drives the breaker of one method.
type rig struct {
	t        *testing.T
	metrics  *Metrics
	events   *Events
	breakers *Breakers
	log      bytes.Buffer
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, metrics: NewMetrics(), events: NewEvents(0)}
	r.breakers = NewBreakers("caller", BreakerConfig{}, r.metrics, r.events)
	r.breakers.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	return r
}

func (r *rig) begin() func(error) {
	r.t.Helper()
	done, err := begin(r.breakers, "callee", "/s.S/M")
	if err != nil {
		r.t.Fatalf("refused: %v", err)
	}
	return done
}

func (r *rig) calls(n int, code codes.Code) {
	r.t.Helper()
	for range n {
		// For codes.OK the error is nil.
		r.begin()(status.Error(code, "chosen"))
	}
}

func (r *rig) refused(code codes.Code, reason string) {
	r.t.Helper()
	if _, err := begin(r.breakers, "callee", "/s.S/M"); status.Code(err) != code || refusal.Reason(err) != reason {
		r.t.Errorf("got %v (reason %q), want %s (reason %q)", err, refusal.Reason(err), code, reason)
	}
}

func (r *rig) state(state, reason string) {
	r.t.Helper()
	all := r.breakers.Snapshot()
	if len(all) != 1 || all[0].State != state || all[0].Reason != reason || all[0].Caller != "caller" || all[0].Method != "s.S/M" {
		r.t.Errorf("got %+v, want %s (%s)", all, state, reason)
	}
	if got := metric(r.t, r.metrics, "sandbox_breaker_state", "callee", "callee", "method", "s.S/M"); got != stateNumber(state) {
		r.t.Errorf("the gauge is %v, want %v", got, stateNumber(state))
	}
}

func TestBreaker_Opens(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(*rig)
		state  string
		reason string
	}{
		{"a quarter of 20 calls opens it", func(r *rig) { r.calls(15, codes.OK); r.calls(5, codes.Unavailable) },
			StateOpen, "25.0% of 20 calls failed"},
		{"less than a quarter does not", func(r *rig) { r.calls(30, codes.OK); r.calls(9, codes.Internal) }, StateClosed, ""},
		{"the share is exact", func(r *rig) { r.calls(23, codes.OK); r.calls(8, codes.Unknown) }, StateOpen, "25.8% of 31 calls failed"},
		{"fewer than 20 calls do not", func(r *rig) { r.calls(19, codes.Unavailable) }, StateClosed, ""},
		{"refusals that are the caller's fault do not", func(r *rig) { r.calls(100, codes.NotFound) }, StateClosed, ""},
		{"cancelled calls are not counted", func(r *rig) { r.calls(100, codes.Canceled); r.calls(19, codes.Unavailable) }, StateClosed, ""},
		{"failures leave the window after 10 s", func(r *rig) {
			r.calls(15, codes.Unavailable)
			time.Sleep(11 * time.Second)
			r.calls(18, codes.OK)
			r.calls(4, codes.Unavailable)
		}, StateClosed, ""},
		{"the window rolls, it does not restart every 10 s", func(r *rig) {
			r.calls(1, codes.OK)
			time.Sleep(9 * time.Second)
			r.calls(10, codes.Unavailable)
			time.Sleep(2 * time.Second)
			r.calls(10, codes.Unavailable)
		}, StateOpen, "100.0% of 20 calls failed"},
		{"failures 5 s old still count", func(r *rig) {
			r.calls(15, codes.Unavailable)
			time.Sleep(5 * time.Second)
			r.calls(1, codes.OK)
			r.calls(4, codes.Unavailable)
		}, StateOpen, "95.0% of 20 calls failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				c.do(r)
				r.state(c.state, c.reason)
			})
		})
	}
}

func TestBreaker_Recovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.calls(20, codes.DeadlineExceeded)
		r.state(StateOpen, "100.0% of 20 calls failed")
		opened := time.Now()
		r.refused(codes.Unavailable, refusal.ReasonBreakerOpen)
		time.Sleep(4999 * time.Millisecond)
		r.refused(codes.Unavailable, refusal.ReasonBreakerOpen)

		time.Sleep(2 * time.Millisecond)
		r.begin()(status.Error(codes.Unavailable, "chosen"))
		r.state(StateOpen, "a probe failed with UNAVAILABLE")

		time.Sleep(5001 * time.Millisecond)
		var probes []func(error)
		for range 5 {
			probes = append(probes, r.begin())
		}
		r.state(StateHalfOpen, "5s have passed since it opened")
		r.refused(codes.Unavailable, refusal.ReasonBreakerOpen)
		probes[0](status.Error(codes.Canceled, "given up"))
		// A cancelled call frees its slot.
		probes[0] = r.begin()
		for _, done := range probes {
			done(nil)
		}
		r.state(StateClosed, "5 probes in a row succeeded")

		if got := metric(t, r.metrics, "sandbox_breaker_since_seconds"); got != unixSeconds(time.Now()) {
			t.Errorf("closed since %v, want now", got)
		}
		if got := metric(t, r.metrics, "sandbox_breaker_rejected_total", "callee", "callee"); got != 3 {
			t.Errorf("%v calls rejected, want 3", got)
		}
		var trace []string
		kept, _, _ := r.events.After(0)
		for _, e := range kept {
			trace = append(trace, e.Labels["from"]+">"+e.Labels["to"])
			if e.Kind != KindBreaker || e.Subject != "callee/s.S/M" {
				t.Errorf("event %+v", e)
			}
		}
		if want := []string{"closed>open", "open>half-open", "half-open>open", "open>half-open", "half-open>closed"}; !slices.Equal(trace, want) {
			t.Errorf("events %v, want %v", trace, want)
		}
		if logged := r.log.String(); strings.Count(logged, "\n") != 5 || !strings.Contains(logged, `callee=callee method=s.S/M from=closed to=open reason="100.0% of 20 calls failed"`) {
			t.Errorf("the log has\n%s", logged)
		}
		if kept[0].Detail != "open: 100.0% of 20 calls failed" || !kept[0].Time.Equal(opened) {
			t.Errorf("first event %+v", kept[0])
		}
		for _, row := range []struct {
			from, to, reason string
			want             float64
		}{
			{StateClosed, StateOpen, "failure_ratio", 1}, {StateOpen, StateHalfOpen, "open_time_over", 2},
			{StateHalfOpen, StateOpen, "probe_failed", 1}, {StateHalfOpen, StateClosed, "probes_succeeded", 1},
		} {
			if got := metric(t, r.metrics, "sandbox_breaker_transitions_total", "from", row.from, "to", row.to, "reason", row.reason); got != row.want {
				t.Errorf("%v transitions %+v", got, row)
			}
		}
	})
}

// TestBreaker_MaxOpen checks that each failed probe doubles the open time up to the maximum of the policy, and that callers see it in RetryInfo.
func TestBreaker_MaxOpen(t *testing.T) {
	for text, want := range map[string][]time.Duration{
		"client: [{breaker: {open: 1s, probes: 1, maxOpen: 3s}}]": {time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second},
		"client: [{breaker: {open: 1s, probes: 1}}]":              {time.Second, time.Second, time.Second, time.Second},
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				client := newClient(ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, text), Breakers: r.breakers, Metrics: r.metrics}.withDefaults())
				call := func() error { return client.unary(t.Context(), "/s.S/M", nil, nil, nil, answering(errDown)) }
				for range 20 {
					_ = call()
				}
				for _, open := range want {
					// RetryInfo is the first moment at which a call is admitted.
					if delay, ok := refusal.RetryDelay(call()); !ok || delay != open+1 {
						t.Errorf("RetryInfo has %s, want %s", delay, open+1)
					}
					time.Sleep(open + 1)
					if err := call(); !errors.Is(err, errDown) {
						t.Error("the probe:", err)
					}
				}
				if got := metric(t, r.metrics, "sandbox_breaker_transitions_total", "from", StateHalfOpen, "to", StateOpen, "reason", "probe_failed"); got != 4 {
					t.Errorf("%v failed probes counted, want 4", got)
				}
				r.state(StateOpen, "a probe failed with UNAVAILABLE")
			})
		})
	}
}

func TestBreaker_MaxConcurrent(t *testing.T) {
	r := newRig(t)
	var open []func(error)
	for range 100 {
		open = append(open, r.begin())
	}
	r.refused(codes.ResourceExhausted, refusal.ReasonTooManyCalls)
	open[0](nil)
	// A slot is free again.
	open[0] = r.begin()
	for range 18 {
		r.refused(codes.ResourceExhausted, refusal.ReasonTooManyCalls)
	}
	if got := metric(t, r.metrics, "sandbox_concurrency_rejected_total", "callee", "callee", "method", "s.S/M"); got != 19 {
		t.Errorf("%v rejected, want 19", got)
	}
	// One success and 19 refusals, which count as failures.
	r.state(StateOpen, "95.0% of 20 calls failed")
	for _, done := range open {
		done(nil)
	}
}

func TestBreakers_OnePerMethod(t *testing.T) {
	r := newRig(t)
	r.calls(20, codes.Unavailable)
	for _, other := range []struct{ callee, method string }{{"callee", "/s.S/Other"}, {"other", "/s.S/M"}} {
		done, err := begin(r.breakers, other.callee, other.method)
		if err != nil {
			t.Fatalf("%+v: %v", other, err)
		}
		done(nil)
	}
	if got := len(r.breakers.Snapshot()); got != 3 {
		t.Errorf("%d breakers, want 3", got)
	}
}

// A policy does not reset the window of a breaker or its calls in flight, however often it changes.
func TestBreaker_KeptAcrossPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policyOf(t, "version: lenient\nclient: [{breaker: {failureRatio: 0.9}}]")
		breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
		c := newClient(ClientConfig{Callee: "callee", Breakers: breakers, Policy: p, Log: quiet}.withDefaults())
		call := func(err error) error {
			return c.unary(t.Context(), "/a.B/C", nil, nil, nil, answering(err))
		}
		for range 15 {
			must(t, call(nil))
		}
		for range 10 {
			if err := call(errDown); !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
		change(t, p, "version: strict\nclient: [{breaker: {failureRatio: 0.4}}]")
		if err := call(errDown); !errors.Is(err, errDown) {
			t.Fatal("the first call under the new policy:", err)
		}
		if err := call(nil); refusal.Reason(err) != refusal.ReasonBreakerOpen {
			t.Error("11 failures of 26 under a limit of 40 %:", err)
		}
		change(t, p, "client: [{method: 'a.B/*', breaker: {open: 1s}}]")
		time.Sleep(1001 * time.Millisecond)
		if err := call(nil); err != nil {
			t.Error("after the new open time:", err)
		}
	})
}

var errDown = status.Error(codes.Unavailable, "chosen")

// answering returns a callee that answers with err.
func answering(err error) func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
	return func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return err }
}
