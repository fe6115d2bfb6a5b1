package breaker

import (
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// TestBreaker_OwnRefusalsDecideNoHalfOpenState checks that a probe which the own limit of calls or streams refuses was never sent, so that it neither opens
// nor closes the breaker, and takes no place of a probe.
func TestBreaker_OwnRefusalsDecideNoHalfOpenState(t *testing.T) {
	for name, allow := range map[string]func(c *clocked) (release func(Outcome), err error){
		"unary calls": func(c *clocked) (func(Outcome), error) {
			t, err := c.Allow()
			return func(o Outcome) { c.Done(t, o) }, err
		},
		"streams": func(c *clocked) (func(Outcome), error) {
			t, err := c.AllowStream()
			return func(o Outcome) { c.Count(t, o); c.EndStream() }, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, Config{MaxConcurrent: 1, MaxStreams: 1, Open: time.Second, Probes: 2, MinCalls: 1})
			// A call that was admitted before still runs when the breaker is half-open.
			release, err := allow(c)
			if err != nil {
				t.Fatal(err)
			}
			c.CountLate(Outcome{Verdict: Failure})
			c.is(open, "after a failure")
			c.now += time.Second + 1
			for range 10 {
				if _, err := allow(c); refusal.Reason(err) != refusal.ReasonTooManyCalls {
					t.Fatalf("got %v", err)
				}
			}
			c.is(halfOpen, "after ten refusals of its own")
			release(Outcome{Verdict: Success})
			c.is(halfOpen, "after the end of an older call")
			for range 2 {
				release, err := allow(c)
				if err != nil {
					t.Fatal(err)
				}
				release(Outcome{Verdict: Success})
			}
			c.is(closed, "after two probes")
		})
	}
}
