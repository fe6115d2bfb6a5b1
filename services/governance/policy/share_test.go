package policy

import (
	"testing"
	"time"
)

// forCall returns the rule for a call for which a number was drawn, as governance chooses it.
func forCall(r *ServerRule, number float64) *ServerRule {
	for _, share := range r.Shares {
		if number < share.Percent {
			return share
		}
	}
	return r
}

func TestShares_OfServerRules(t *testing.T) {
	ten, half := Share{Percent: 10}, Share{Percent: 50}
	for _, c := range []struct {
		sentence, text string
		number         float64
		most           int64
		of             Share
	}{
		{"a rule for every call", "server: [{bulkhead: {maxConcurrent: 1}}]", 0, 1, Share{}},
		{"a call of the share", "server: [{bulkhead: {maxConcurrent: 1}}, {percent: 10, bulkhead: {maxConcurrent: 2}}]", 9.9, 2, ten},
		{"a call outside of the share", "server: [{bulkhead: {maxConcurrent: 1}}, {percent: 10, bulkhead: {maxConcurrent: 2}}]", 10, 1, Share{}},
		{"the last rule that applies decides", "server: [{percent: 10, bulkhead: {maxConcurrent: 2}}, {bulkhead: {maxConcurrent: 1}}]", 0, 1, Share{}},
		{"the smaller share is a part of the larger one", "server: [{percent: 50, bulkhead: {maxConcurrent: 1}}, {percent: 10, bulkhead: {maxConcurrent: 2}}]", 9, 2, ten},
		{"outside of the smaller share", "server: [{percent: 50, bulkhead: {maxConcurrent: 1}}, {percent: 10, bulkhead: {maxConcurrent: 2}}]", 11, 1, half},
		{"a part that the share does not have", "server: [{bulkhead: {maxConcurrent: 1}}, {percent: 10, deadline: {timeout: 2s}}]", 0, 1, Share{}},
		{"no call", "server: [{bulkhead: {maxConcurrent: 1}}, {percent: 0, bulkhead: {maxConcurrent: 2}}]", 0, 1, Share{}},
		{"every call", "server: [{bulkhead: {maxConcurrent: 1}}, {percent: 100, bulkhead: {maxConcurrent: 2}}]", 99.9, 2, Share{}},
		{"a rule of another method", "server: [{bulkhead: {maxConcurrent: 1}}, {method: x.Y/Z, percent: 10, bulkhead: {maxConcurrent: 2}}]", 0, 1, Share{}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := forCall(compile(parsed(t, c.text), "").Server("a.B/C"), c.number)
			if r.MaxConcurrent != c.most || r.MaxConcurrentOf != c.of {
				t.Errorf("maxConcurrent %d of %v, want %d of %v", r.MaxConcurrent, r.MaxConcurrentOf, c.most, c.of)
			}
		})
	}
}

func TestShares_NoneWithoutPercent(t *testing.T) {
	rules := compile(parsed(t, "server: [{bulkhead: {maxConcurrent: 1}}, {percent: 0, deadline: {none: true}}, {percent: 100, deadline: {timeout: 1s}}]\nclient: [{percent: 100, breaker: {}}]"), "")
	if s, c := rules.Server("a.B/C").Shares, rules.Client("x", "a.B/C").Shares; s != nil || c != nil {
		t.Errorf("shares %v and %v", s, c)
	}
}

func TestShares_OfLimitsOfAllMethods(t *testing.T) {
	p := layered(t, "rate: {limits: [{tokenBucket: {rate: 1}}]}\ntrials: [{percent: 10, rate: {limits: [{tokenBucket: {rate: 2}}]}, shed: {maxLimit: 7}}]", "")
	rules := p.Rules()
	r := rules.Server("a.B/C")
	in := forCall(r, 5)
	if r.RateOf != (Share{}) || r.ShedOf != (Share{}) || in.RateOf != (Share{Percent: 10}) || in.ShedOf != (Share{Percent: 10}) {
		t.Errorf("shares %v, %v, %v and %v", r.RateOf, r.ShedOf, in.RateOf, in.ShedOf)
	}
	if rules.Rate(in.RateOf)[0].GetTokenBucket().GetRate() != 2 || rules.Rate(r.RateOf)[0].GetTokenBucket().GetRate() != 1 || rules.Shed(in.ShedOf).GetMaxLimit() != 7 || rules.Shed(r.ShedOf) != nil {
		t.Errorf("rates %v and %v, shed %v and %v", rules.Rate(in.RateOf), rules.Rate(r.RateOf), rules.Shed(in.ShedOf), rules.Shed(r.ShedOf))
	}
	if err := p.Push(parsed(t, "rate: {limits: [{tokenBucket: {rate: 3}}]}")); err != nil {
		t.Fatal(err)
	}
	in = forCall(p.Rules().Server("a.B/C"), 5)
	if got := p.Rules().Rate(in.RateOf); got[0].GetTokenBucket().GetRate() != 3 || in.ShedOf != (Share{Percent: 10}) {
		t.Errorf("a pushed limit does not replace that of a share: %v, shed of %v", got, in.ShedOf)
	}
}

// TestShares_BreakersWithOneName checks that breakers that count the same calls have the same settings, because they are one breaker.
func TestShares_BreakersWithOneName(t *testing.T) {
	for _, text := range []string{
		"[{breaker: {minCalls: 3}}, {percent: 10, deadline: {timeout: 1s}}]",
		"[{breaker: {minCalls: 3}, throttle: {}}, {percent: 10, deadline: {timeout: 1s}}]",
		"[{breaker: {minCalls: 3}, throttle: {}}, {percent: 10, throttle: {disabled: true}}]",
		"[{breaker: {minCalls: 3}}, {percent: 50, throttle: {}}, {percent: 10, breaker: {minCalls: 4}}]",
		"[{breaker: {failureRatio: 0.3}}, {percent: 50, throttle: {}}, {percent: 10, throttle: {disabled: true}}]",
		"[{throttle: {}}, {percent: 50, breaker: {minCalls: 3}}, {percent: 10, breaker: {minCalls: 3}}]",
	} {
		r := compile(parsed(t, "client: "+text), "").Client("x", "a.B/C")
		known := map[Share]*ClientRule{r.BreakerOf: r}
		for _, share := range r.Shares {
			if other, ok := known[share.BreakerOf]; ok && other.Breaker != share.Breaker {
				t.Errorf("%s: the breaker of %v has two settings: %v and %v", text, share.BreakerOf, other.Breaker, share.Breaker)
			}
			known[share.BreakerOf] = share
		}
	}
}

func TestShadow_DoesNotReplaceEnforcedRules(t *testing.T) {
	rules := compile(parsed(t, `
server:
- {bulkhead: {maxConcurrent: 1}, deadline: {timeout: 3s}, callers: {allow: ["a"]}}
- {shadow: true, bulkhead: {maxConcurrent: 2}, deadline: {timeout: 2s, required: true}, callers: {allow: ["b"]}}
- {shadow: true, percent: 10, bulkhead: {maxConcurrent: 4}}
client:
- {breaker: {minCalls: 3}, deadline: {timeout: 3s}}
- {shadow: true, breaker: {minCalls: 2}, deadline: {timeout: 2s}, throttle: {}}
`), "")
	s, c := rules.Server("a.B/C"), rules.Client("x", "a.B/C")
	if s.MaxConcurrent != 1 || s.Timeout != 3*time.Second || s.DeadlineRequired || !s.Allows("a") || s.Allows("b") {
		t.Errorf("enforced: %+v", s)
	}
	if sh := s.Shadow; sh.MaxConcurrent != 2 || sh.Timeout != 2*time.Second || !sh.DeadlineRequired || sh.Allows("a") || !sh.Allows("b") {
		t.Errorf("in shadow mode: %+v", sh)
	}
	if in := forCall(s, 5); in.MaxConcurrent != 1 || in.Shadow.MaxConcurrent != 4 || in.Shadow.MaxConcurrentOf != (Share{10, true}) || in.Shadow.Timeout != 2*time.Second {
		t.Errorf("of a share: %+v, %+v", in, in.Shadow)
	}
	if c.Breaker.GetMinCalls() != 3 || c.Breaker.FailureRatio != nil || c.Timeout != 3*time.Second || c.Throttle != nil {
		t.Errorf("enforced: %+v", c)
	}
	if sh := c.Shadow; sh.Breaker.GetMinCalls() != 2 || sh.Breaker.GetFailureRatio() != 0.9 || sh.Timeout != 2*time.Second || sh.Throttle == nil || sh.BreakerOf != (Share{Shadow: true}) {
		t.Errorf("in shadow mode: %+v", sh)
	}
	if rules := compile(parsed(t, "server: [{shadow: true, callers: {allow: []}}]"), ""); rules.LimitsCallers() || rules.Server("grpc.health.v1.Health/Check").Shadow != nil {
		t.Error("a list in shadow mode counts as a list")
	}
}
