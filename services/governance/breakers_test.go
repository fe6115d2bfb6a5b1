package governance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// neverOpen returns breakers for a test about something else.
func neverOpen() *Breakers { return NewBreakers("c", BreakerConfig{Disabled: true}, nil, nil) }

func TestBreakers_TwoPolicies(t *testing.T) {
	strict, off := policyOf(t, "client: [{breaker: {minCalls: 5}}]"), policyOf(t, "client: [{breaker: {disabled: true}}]")
	for _, c := range []struct {
		sentence      string
		callee        string
		policy        *policy.Policy
		otherBreakers bool
		refused       bool
	}{
		{"the same callee under the same policy", "callee", strict, false, false},
		{"the same callee under another policy", "callee", off, false, true},
		{"the same callee without a policy", "callee", nil, false, true},
		{"another callee under another policy", "other", off, false, false},
		{"the same callee under another policy, with other breakers", "callee", off, true, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
			first, err := Dial("x:1", ClientConfig{Callee: "callee", Breakers: breakers, Policy: strict, Log: quiet})
			must(t, err)
			must(t, first.Close())
			if c.otherBreakers {
				breakers = NewBreakers("c", BreakerConfig{}, nil, nil)
			}
			second, err := Dial("x:1", ClientConfig{Callee: c.callee, Breakers: breakers, Policy: c.policy, Log: quiet})
			if err == nil {
				must(t, second.Close())
			}
			if refused := err != nil && strings.Contains(remedy.Line(err, nil), "try: use the same Policy"); refused != c.refused {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDial_BreakersOfItsOwn(t *testing.T) {
	for text, want := range map[string]int64{
		"client: [{breaker: {minCalls: 1}}]":    1,
		"":                                      20,
		"client: [{breaker: {disabled: true}}]": 50,
	} {
		f := &flaky{code: codes.Unavailable}
		f.fails.Store(1000)
		metrics := NewMetrics()
		client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Policy: policyOf(t, text), Metrics: metrics})
		var err error
		for range 50 {
			_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		}
		if got := f.served.Load(); got != want {
			t.Errorf("%q: %d of 50 failing calls reach the callee, want %d", text, got, want)
		}
		if opened := want < 50; opened != (refusal.Reason(err) == refusal.ReasonBreakerOpen) || opened != (metric(t, metrics, "sandbox_breaker_state") == 1) {
			t.Errorf("%q: the last error is %v, and the metric %v", text, err, metric(t, metrics, "sandbox_breaker_state"))
		}
	}
}
