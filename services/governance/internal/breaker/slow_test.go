package breaker

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

const limit = 200 * time.Millisecond

// took is a call that took a time and has a verdict.
func (c *clocked) took(n int, d time.Duration, v Verdict) (last Counted) {
	c.t.Helper()
	for range n {
		ticket, err := c.Allow()
		if err != nil {
			c.t.Fatal("refused:", err)
		}
		last = c.Done(ticket, Outcome{Verdict: v, Code: codes.Unavailable, Took: d})
	}
	return last
}

func TestBreaker_SlowCalls(t *testing.T) {
	half := Config{SlowCallRatio: 0.5, SlowCallDuration: limit}
	for _, c := range []struct {
		sentence string
		cfg      Config
		do       func(c *clocked)
		// reason is that of the last transition, or empty if there is none.
		class, reason string
	}{
		{"half of 20 calls is slow", half, func(c *clocked) { c.took(10, limit, Success); c.took(10, limit+1, Success) },
			"slow_call_ratio", "50.0% of 20 calls took longer than 200ms"},
		{"less than half is slow", half, func(c *clocked) { c.took(11, limit, Success); c.took(10, limit+1, Success) }, "", ""},
		{"fewer calls than MinCalls", half, func(c *clocked) { c.took(19, time.Second, Success) }, "", ""},
		{"slow calls are not limited by default", Config{}, func(c *clocked) { c.took(1000, time.Hour, Success) }, "", ""},
		{"a slow success is not a failure", Config{SlowCallRatio: 1, SlowCallDuration: limit, FailureRatio: 0.01},
			func(c *clocked) { c.took(1, 0, Success); c.took(40, time.Second, Success) }, "", ""},
		{"a slow failure is slow, too", Config{SlowCallRatio: 0.5, SlowCallDuration: limit, FailureRatio: 1},
			func(c *clocked) {
				c.took(10, 0, Success)
				c.took(5, time.Second, Failure)
				c.took(5, time.Second, Success)
			},
			"slow_call_ratio", "50.0% of 20 calls took longer than 200ms"},
		{"slow calls that say nothing", half, func(c *clocked) { c.took(100, time.Second, Neutral) }, "", ""},
		{"a disabled breaker", Config{SlowCallRatio: 0.5, SlowCallDuration: limit, Disabled: true}, func(c *clocked) { c.took(100, time.Second, Success) }, "", ""},
		{"slow calls leave the window", half, func(c *clocked) {
			c.took(19, time.Second, Success)
			c.now += 11 * time.Second
			c.took(18, 0, Success)
			c.took(2, time.Second, Success)
		}, "", ""},
		{"slow calls stay when the window is resized", half, func(c *clocked) {
			c.took(19, time.Second, Success)
			c.Configure(Config{SlowCallRatio: 0.5, SlowCallDuration: limit, Window: time.Minute})
			c.took(1, time.Second, Success)
		}, "slow_call_ratio", "100.0% of 20 calls took longer than 200ms"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var last Transition
			b := newClocked(t, c.cfg)
			b.publish = func(t Transition) { last = t }
			c.do(b)
			if last.Class != c.class || last.Reason != c.reason {
				t.Errorf("the last transition is %+v, want %s: %s", last, c.class, c.reason)
			}
		})
	}
}

func TestBreaker_SlowProbes(t *testing.T) {
	for _, c := range []struct {
		sentence   string
		slow, fast int
		state      State
		reason     string
	}{
		{"fewer than the share are slow", 2, 3, closed, "5 probes in a row succeeded"},
		{"the share is slow", 3, 0, open, "3 of 5 probes took longer than 200ms"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var last Transition
			b := newClocked(t, Config{SlowCallRatio: 0.6, SlowCallDuration: limit})
			b.publish = func(t Transition) { last = t }
			b.took(20, time.Second, Success)
			b.is(open, "after 20 slow calls")
			// Twice, because nothing of an earlier half-open state may count.
			for range 2 {
				b.now += 6 * time.Second
				b.took(2, time.Second, Success)
				b.is(halfOpen, "after two slow probes")
				b.took(1, 0, Failure)
			}
			b.now += 6 * time.Second
			b.took(c.slow, time.Second, Success)
			b.took(c.fast, 0, Success)
			b.is(c.state, "after the probes")
			if last.Reason != c.reason {
				t.Errorf("the reason is %q, want %q", last.Reason, c.reason)
			}
		})
	}
}

func TestBreaker_RetractsSlowCalls(t *testing.T) {
	b := newClocked(t, Config{SlowCallRatio: 0.5, SlowCallDuration: limit})
	b.took(10, 0, Success)
	for range 9 {
		b.Retract(b.took(1, time.Second, Success))
	}
	b.took(9, time.Second, Success)
	if ok, _ := b.Counts(); ok != 19 {
		t.Errorf("%d successes count, want 19: retracted calls do not", ok)
	}
	b.is(closed, "after 9 slow calls of 19, and 9 that were retracted,")
	b.took(1, time.Second, Success)
	b.is(open, "after the 10th slow call of 20")
}

func TestConfig_SlowCallsOfPolicy(t *testing.T) {
	own := Config{SlowCallRatio: 0.8, SlowCallDuration: time.Second}
	for _, c := range []struct {
		sentence string
		policy   *policyv1.Breaker
		ratio    float64
		duration time.Duration
	}{
		{"no policy", nil, 0.8, time.Second},
		{"unset", &policyv1.Breaker{}, 0.8, time.Second},
		{"another limit", &policyv1.Breaker{SlowCallRatio: proto.Float64(0.3), SlowCallDuration: durationpb.New(limit)}, 0.3, limit},
		{"0 means none", &policyv1.Breaker{SlowCallRatio: proto.Float64(0)}, 0, time.Second},
	} {
		if got := own.WithPolicy(c.policy); got.SlowCallRatio != c.ratio || got.SlowCallDuration != c.duration {
			t.Errorf("%s: %v and %s, want %v and %s", c.sentence, got.SlowCallRatio, got.SlowCallDuration, c.ratio, c.duration)
		}
	}
}
