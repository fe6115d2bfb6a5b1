package governance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ReasonBreakerOpen is the ErrorInfo reason of a call the breaker refused; ReasonTooManyCalls of one over MaxConcurrent.
const (
	ReasonBreakerOpen  = "BREAKER_OPEN"
	ReasonTooManyCalls = "TOO_MANY_CALLS"
	errorDomain        = "sandbox.dev"
)

// BreakerConfig says when a breaker opens. A zero field means the default named beside it.
type BreakerConfig struct {
	FailureRatio  float64       // 0.25: share of finished calls in the window that failed
	MinCalls      uint32        // 20: finished calls in the window below which it never opens
	Window        time.Duration // 10s, rolling, in buckets of a tenth
	Open          time.Duration // 5s: how long it refuses every call
	Probes        uint32        // 5: calls let through when half-open; all must succeed
	MaxConcurrent int64         // 100: calls at once; one more is refused with RESOURCE_EXHAUSTED and counts as a failure
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	orDefault(&c.FailureRatio, 0.25)
	orDefault(&c.MinCalls, 20)
	orDefault(&c.Window, 10*time.Second)
	orDefault(&c.Open, 5*time.Second)
	orDefault(&c.Probes, 5)
	orDefault(&c.MaxConcurrent, 100)
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// transition is one change of state, as gobreaker reported it.
type transition struct {
	from, to, reason string
	at               time.Time
}

// breaker guards one method of one callee.
type breaker struct {
	cfg      BreakerConfig
	inFlight atomic.Int64
	steps    *gobreaker.TwoStepCircuitBreaker[struct{}]
	publish  func(transition)

	// Both are only touched in gobreaker's callbacks, so under gobreaker's lock.
	lastCode codes.Code
	tripped  string

	queue   sync.Mutex // pending
	pending []transition
	flush   sync.Mutex // keeps publications in order; taken before queue
}

func newBreaker(cfg BreakerConfig, publish func(transition)) *breaker {
	b := &breaker{cfg: cfg.withDefaults(), publish: publish}
	b.steps = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   b.cfg.Probes,
		Interval:      b.cfg.Window,
		BucketPeriod:  b.cfg.Window / 10,
		Timeout:       b.cfg.Open,
		ReadyToTrip:   b.readyToTrip,
		OnStateChange: b.changed,
		IsSuccessful: func(err error) bool {
			b.lastCode = codeOf(err)
			return !IsFailure(b.lastCode)
		},
		// A call its own caller gave up says nothing about the callee; in half-open its slot comes back.
		IsExcluded: func(err error) bool { return codeOf(err) == codes.Canceled },
	})
	return b
}

func (b *breaker) readyToTrip(n gobreaker.Counts) bool {
	finished := n.TotalSuccesses + n.TotalFailures
	if finished < b.cfg.MinCalls || float64(n.TotalFailures) < b.cfg.FailureRatio*float64(finished) {
		return false
	}
	b.tripped = fmt.Sprintf("%.1f%% of %d calls failed", 100*float64(n.TotalFailures)/float64(finished), finished)
	return true
}

// changed runs under gobreaker's lock, so it only takes note.
func (b *breaker) changed(_ string, from, to gobreaker.State) {
	t := transition{from: from.String(), to: to.String(), at: time.Now()}
	switch {
	case to == gobreaker.StateHalfOpen:
		t.reason = fmt.Sprintf("%s have passed since it opened", b.cfg.Open)
	case to == gobreaker.StateClosed:
		t.reason = fmt.Sprintf("%d probes in a row succeeded", b.cfg.Probes)
	case from == gobreaker.StateHalfOpen:
		t.reason = fmt.Sprintf("a probe failed with %s", codeName(b.lastCode))
	default:
		t.reason = b.tripped
	}
	b.queue.Lock()
	b.pending = append(b.pending, t)
	b.queue.Unlock()
}

func (b *breaker) publishPending() {
	b.flush.Lock()
	defer b.flush.Unlock()
	b.queue.Lock()
	pending := b.pending
	b.pending = nil
	b.queue.Unlock()
	for _, t := range pending {
		b.publish(t)
	}
}

// allow returns done, which must be called exactly once with the outcome, or the error to give the caller.
func (b *breaker) allow() (done func(error), err error) {
	defer b.publishPending()
	report, err := b.steps.Allow()
	if err != nil {
		return nil, refusal(codes.Unavailable, ReasonBreakerOpen, "circuit "+err.Error())
	}
	if b.inFlight.Add(1) > b.cfg.MaxConcurrent {
		b.inFlight.Add(-1)
		err := refusal(codes.ResourceExhausted, ReasonTooManyCalls, fmt.Sprintf("%d calls are already in flight", b.cfg.MaxConcurrent))
		report(err)
		return nil, err
	}
	return func(err error) {
		b.inFlight.Add(-1)
		report(err)
		b.publishPending()
	}, nil
}

func refusal(code codes.Code, reason, message string) error {
	st := status.New(code, message)
	if detailed, err := st.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: errorDomain}); err == nil {
		st = detailed
	}
	return st.Err()
}

// RefusalReason returns the ErrorInfo reason when governance refused the call before it reached the wire, else "".
func RefusalReason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == errorDomain {
			return info.GetReason()
		}
	}
	return ""
}
