package breaker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/window"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// oracle returns a breaker of gobreaker, which this breaker replaced, with the same settings.
func oracle(cfg Config) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	cfg = cfg.withDefaults()
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: cfg.Probes, Interval: cfg.Window, BucketPeriod: cfg.Window / window.Buckets, Timeout: cfg.Open,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			finished := n.TotalSuccesses + n.TotalFailures
			return finished >= cfg.MinCalls && float64(n.TotalFailures) >= cfg.FailureRatio*float64(finished)
		},
		IsSuccessful: func(err error) bool { return !rpccode.IsFailure(rpccode.Of(err)) },
		IsExcluded:   func(err error) bool { return rpccode.Of(err) == codes.Canceled },
	})
}

// TestBreaker_DecidesLikeGobreaker makes random calls, outcomes and pauses. Both breakers must admit the same calls and be in the same state
// after every step.
func TestBreaker_DecidesLikeGobreaker(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			cfg := Config{FailureRatio: 0.1 + 0.8*random.Float64(), MinCalls: uint32(1 + random.IntN(20)), Window: 10 * time.Second,
				Open: time.Duration(1+random.IntN(8)) * time.Second, Probes: uint32(1 + random.IntN(5)), MaxConcurrent: 1 << 30}
			theirs, origin := oracle(cfg), time.Now()
			ours := New(cfg, func() time.Duration { return time.Since(origin) }, func(Transition) {})
			badness := random.Float64()
			type open struct {
				theirs func(error)
				ours   Ticket
			}
			// probes are the calls in flight in half-open state, where their order matters.
			var probes []open
			end := func(o open, err error) {
				o.theirs(err)
				done(ours, o.ours, err)
			}
			for step := range 400 {
				if random.IntN(4) == 0 {
					time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
				}
				report, theirErr := theirs.Allow()
				ticket, ourErr := ours.Allow()
				if (theirErr == nil) != (ourErr == nil) {
					t.Fatalf("seed %d step %d: gobreaker returns %v, ours %v", seed, step, theirErr, ourErr)
				}
				outcome := func() error {
					switch x := random.Float64(); {
					case x < 0.1:
						return status.Error(codes.Canceled, "given up")
					case x < badness:
						return status.Error(codes.Unavailable, "chosen")
					default:
						return nil
					}
				}
				if ourErr == nil {
					probes = append(probes, open{report, ticket})
				}
				if ours.State() != halfOpen || len(probes) > 3 || random.IntN(2) == 0 {
					for _, p := range probes {
						end(p, outcome())
					}
					probes = nil
				}
				if got, want := ours.State().String(), theirs.State().String(); got != want && !(got == StateOpen && want == StateHalfOpen) {
					// Reading the state of gobreaker makes it half-open when the time has passed. Ours waits for the next call.
					t.Fatalf("seed %d step %d: gobreaker is %s, ours is %s", seed, step, want, got)
				}
			}
		})
	}
}

// clocked is a breaker with a clock that the test sets.
type clocked struct {
	*Breaker
	t   *testing.T
	now time.Duration
}

func newClocked(t *testing.T, cfg Config) *clocked {
	c := &clocked{t: t, now: time.Hour}
	c.Breaker = New(cfg, func() time.Duration { return c.now }, func(Transition) {})
	return c
}

func (c *clocked) calls(n int, err error) {
	c.t.Helper()
	for range n {
		ticket, refusal := c.Allow()
		if refusal != nil {
			c.t.Fatal("refused:", refusal)
		}
		done(c.Breaker, ticket, err)
	}
}

func (c *clocked) is(want State, when string) {
	c.t.Helper()
	if got := c.State(); got != want {
		c.t.Errorf("%s the breaker is %s, want %s", when, got, want)
	}
}

// done ends a call as a client does that has no other information than the error.
func done(b *Breaker, t Ticket, err error) Counted {
	code := rpccode.Of(err)
	switch {
	case code == codes.Canceled:
		return b.Done(t, Outcome{})
	case rpccode.IsFailure(code):
		return b.Done(t, Outcome{Verdict: Failure, Code: code})
	}
	return b.Done(t, Outcome{Verdict: Success})
}

var errDown = status.Error(codes.Unavailable, "chosen")

func TestBreaker_ClockJumps(t *testing.T) {
	c := newClocked(t, Config{})
	c.calls(15, nil)
	c.calls(4, errDown)
	c.now -= 50 * time.Minute
	c.calls(1, errDown)
	c.is(open, "a jump back keeps the window: after 5 failures of 20")

	c.now += 4 * time.Second
	if _, err := c.Allow(); refusal.Reason(err) != refusal.ReasonBreakerOpen {
		t.Error("4 s after it opened:", err)
	}
	// The breaker must not stay open for another 5 minutes.
	c.now -= 5 * time.Minute
	if _, err := c.Allow(); refusal.Reason(err) != refusal.ReasonBreakerOpen {
		t.Error("after a jump back:", err)
	}
	c.now += 1500 * time.Millisecond
	c.calls(5, nil)
	c.is(closed, "5.5 s of open time in all, then 5 probes:")

	c.calls(15, errDown)
	c.now += 1000 * time.Hour
	c.calls(19, errDown)
	c.is(closed, "a jump ahead empties the window: after 19 more failures")
	c.calls(1, errDown)
	c.is(open, "after the 20th")
}

func TestBreaker_AbandonedProbes(t *testing.T) {
	c := newClocked(t, Config{Probes: 2})
	c.calls(20, errDown)
	c.now += 6 * time.Second
	var abandoned []Ticket
	// Both probes are streams that are never read, cancelled or ended.
	for range 2 {
		probe, err := c.Allow()
		if err != nil {
			t.Fatal(err)
		}
		abandoned = append(abandoned, probe)
	}
	c.now += 10 * time.Second
	if _, err := c.Allow(); refusal.Reason(err) != refusal.ReasonBreakerOpen {
		t.Error("within a window the slots are taken:", err)
	}
	c.now += time.Millisecond
	c.calls(1, nil)
	for _, late := range abandoned {
		// A late outcome is ignored.
		done(c.Breaker, late, errDown)
	}
	c.is(halfOpen, "after late failures of abandoned probes")
	c.calls(1, nil)
	c.is(closed, "after two new probes")
	if got := c.inFlight.Load(); got != 0 {
		t.Errorf("%d calls in flight, want 0", got)
	}
}

func TestBreaker_NewSettingsKeepCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		change Config
		// more is how many failures open the breaker, after 20 successes and 10 failures.
		more int
	}{
		{"a lower ratio", Config{FailureRatio: 0.35, MinCalls: 31}, 1},
		{"a lower minimum of calls", Config{FailureRatio: 0.5, MinCalls: 10}, 10},
		{"a longer window", Config{FailureRatio: 0.35, Window: time.Minute}, 1},
		{"a shorter window that covers everything", Config{FailureRatio: 0.35, Window: 5 * time.Second}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newClocked(t, Config{FailureRatio: 0.9})
			b.now += 3 * time.Second
			b.calls(20, nil)
			b.now += time.Second
			b.calls(10, errDown)
			b.Configure(c.change)
			b.calls(c.more-1, errDown)
			b.is(closed, fmt.Sprintf("after %d more", c.more-1))
			b.calls(1, errDown)
			b.is(open, fmt.Sprintf("after %d more", c.more))
		})
	}
	t.Run("a shorter window that does not cover everything", func(t *testing.T) {
		b := newClocked(t, Config{FailureRatio: 0.9})
		b.calls(20, nil)
		b.now += 8 * time.Second
		b.calls(10, errDown)
		b.Configure(Config{Window: time.Second, MinCalls: 11})
		b.calls(1, errDown)
		b.is(open, "with 11 failures of 11")
	})
	t.Run("disabled and enabled again", func(t *testing.T) {
		b := newClocked(t, Config{})
		b.calls(20, errDown)
		b.is(open, "after 20 failures")
		b.Configure(Config{Disabled: true})
		b.is(closed, "when disabled")
		b.calls(100, errDown)
		b.is(closed, "however many calls fail")
		b.Configure(Config{})
		b.calls(1, errDown)
		b.is(open, "with the next failure, when enabled again")
	})
}

func TestBreaker_RetryDelay(t *testing.T) {
	c := newClocked(t, Config{})
	c.calls(20, errDown)
	c.now += 1200 * time.Millisecond
	_, err := c.Allow()
	after, ok := refusal.RetryDelay(err)
	if !ok || status.Code(err) != codes.Unavailable {
		t.Fatal("got", err)
	}
	c.now += after - 1
	if _, err := c.Allow(); err == nil {
		t.Error("admitted too early")
	}
	c.now++
	if _, err := c.Allow(); err != nil {
		t.Error("refused after the time in RetryInfo:", err)
	}
}

func TestBreaker_OpenTimeGrows(t *testing.T) {
	c := newClocked(t, Config{Open: time.Second, MaxOpen: 5 * time.Second, Probes: 1})
	c.calls(20, errDown)
	for _, wait := range []time.Duration{1, 2, 4, 5, 5} {
		c.now += wait * time.Second
		if _, err := c.Allow(); err == nil {
			t.Fatalf("admitted before %d s had passed", wait)
		}
		c.now++
		c.calls(1, errDown)
		c.is(open, "after a failed probe")
	}
	c.now += 5*time.Second + 1
	c.calls(1, nil)
	c.is(closed, "after a probe that succeeded")
	c.calls(20, errDown)
	c.now += time.Second + 1
	c.calls(1, nil)
	c.is(closed, "the next time, after the first open time")
}
