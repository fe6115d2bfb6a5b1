package policy

import (
	"testing"
	"time"
)

func TestRules_Deadlines(t *testing.T) {
	for _, c := range []struct {
		sentence, deadline   string
		server, serverStream time.Duration
		client, clientStream time.Duration
		clientNone           bool
	}{
		{"the defaults", "{}", 10 * time.Second, time.Hour, 0, time.Hour, false},
		{"deadlines", "{timeout: 2s, streamTimeout: 3s}", 2 * time.Second, 3 * time.Second, 2 * time.Second, 3 * time.Second, false},
		{"no deadline of unary calls", "{none: true}", 0, time.Hour, 0, time.Hour, true},
		{"no deadline of streams", "{streamNone: true}", 10 * time.Second, 0, 0, 0, false},
		{"no deadline at all", "{none: true, streamNone: true}", 0, 0, 0, 0, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			rules := compile(parsed(t, "server: [{deadline: {timeout: 7s}}, {deadline: "+c.deadline+"}]\nclient: [{deadline: {timeout: 7s}}, {deadline: "+c.deadline+"}]"), "")
			if r := rules.Server("a.B/C"); r.Timeout != c.server || r.StreamTimeout != c.serverStream {
				t.Errorf("server: %s and %s for a stream, want %s and %s", r.Timeout, r.StreamTimeout, c.server, c.serverStream)
			}
			if r := rules.Client("x", "a.B/C"); r.Timeout != c.client || r.StreamTimeout != c.clientStream || r.NoTimeout != c.clientNone {
				t.Errorf("client: %s, none %v, and %s for a stream, want %s, %v and %s", r.Timeout, r.NoTimeout, r.StreamTimeout, c.client, c.clientNone, c.clientStream)
			}
		})
	}
	if r := compile(parsed(t, "server: [{deadline: {margin: 0s}}]"), "").Server("a.B/C"); r.Margin != 0 {
		t.Errorf("a margin of 0s is %s", r.Margin)
	}
}

func TestRules_BreakerBehindThrottle(t *testing.T) {
	for _, c := range []struct {
		rules string
		// ratio is 0 if the policy leaves it to the default.
		ratio    float64
		minCalls uint32
		disabled bool
	}{
		{"{breaker: {minCalls: 7}}", 0, 7, false},
		{"{throttle: {}}", 0.9, 0, false},
		{"{throttle: {disabled: true}}", 0, 0, false},
		{"{breaker: {minCalls: 7}}, {throttle: {}}", 0.9, 7, false},
		{"{breaker: {failureRatio: 0.4}, throttle: {}}", 0.4, 0, false},
		{"{breaker: {disabled: true}, throttle: {}}", 0.9, 0, true},
	} {
		got := compile(parsed(t, "client: ["+c.rules+"]"), "").Client("x", "a.B/C").Breaker
		if got.GetFailureRatio() != c.ratio || got.GetMinCalls() != c.minCalls || got.GetDisabled() != c.disabled {
			t.Errorf("%s: %v", c.rules, got)
		}
	}
}

// TestRules_RetriedOrHedged checks that a unary call is retried or hedged, as the last rule says. Streams cannot be hedged, so they keep a retry.
func TestRules_RetriedOrHedged(t *testing.T) {
	const retry, hedge = "{retry: {idempotent: true, maxAttempts: 3}}", "{hedge: {idempotent: true, delay: 50ms}}"
	for text, want := range map[string]struct{ retries, hedges bool }{
		retry:                                 {true, false},
		hedge:                                 {false, true},
		retry + ", " + hedge:                  {true, true},
		hedge + ", " + retry:                  {true, false},
		hedge + ", {retry: {maxAttempts: 1}}": {false, true},
		retry + ", {hedge: {maxAttempts: 1}}": {true, false},
		hedge + ", " + retry + ", " + hedge:   {true, true},
		hedge + ", {method: other.Service/*, " + retry[1:]:         {false, true},
		hedge + ", {callee: another, " + retry[1:]:                 {false, true},
		"{retry: {idempotent: true, maxAttempts: 3}, " + hedge[1:]: {true, true},
	} {
		r := compile(parsed(t, "client: ["+text+"]"), "").Client("x", "a.B/C")
		if (r.Retry != nil) != want.retries || (r.Hedge != nil) != want.hedges {
			t.Errorf("%s: retry %v, hedge %v", text, r.Retry, r.Hedge)
		}
	}
}
