package governance

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// attempt is one attempt of a call, from the choice of a replica to its end.
type attempt struct {
	choice
	call    *clientCall
	ctx     context.Context
	number  int32
	started time.Time
	// picked is what the load-balancing policy of gRPC does at the end of an attempt; it may be nil.
	picked func(balancer.DoneInfo)
	// counted means that the endpoint has counted the attempt: at its end, or at the first message of a stream.
	counted atomic.Bool
	// shadow is nil unless an ejection in shadow mode counts the attempt.
	shadow *shadowAttempt
	// answer and shadowAnswer are about the first message of a stream. mu of the call guards them.
	answer, shadowAnswer outlier.Answer
}

// choice is the replica of an attempt, and how the attempt was admitted there. Replica and endpoint may be nil.
type choice struct {
	replica   *subConn
	endpoint  *outlier.Endpoint
	admission outlier.Admission
}

// attempt counts an attempt, and observes its end.
func (c *clientCall) attempt(ctx context.Context, result *balancer.PickResult, to choice) {
	a := &c.first
	n := c.attempts.Add(1)
	switch {
	case n == 1:
		c.method.first.Inc()
	case c.rule.Hedge != nil && !c.stream:
		a = &attempt{}
		c.method.hedges.Inc()
		c.span.AddEvent("hedge", trace.WithAttributes(attribute.Int("attempt", int(n))))
	default:
		a = &attempt{}
		c.method.retries.Inc()
		c.span.AddEvent("retry", trace.WithAttributes(attribute.Int("attempt", int(n))))
	}
	*a = attempt{choice: to, call: c, ctx: ctx, number: n, started: time.Now(), picked: result.Done, shadow: c.shadowAttempt(to)}
	if c.retry() != nil || c.rule.Hedge != nil {
		c.try(to.endpoint)
	}
	if c.stream {
		c.latest.Store(a)
	}
	result.Done = a.done
}

func (a *attempt) done(info balancer.DoneInfo) {
	if a.picked != nil {
		a.picked(info)
	}
	c := a.call
	if info.Err == nil && !info.BytesSent {
		// The connection was lost between the choice and the attempt. gRPC chooses again.
		if a.endpoint != nil {
			a.endpoint.Done(a.admission, outlier.Neutral)
			a.shadow.done(outlier.Neutral)
		}
		// This comes last, because the next attempt may then use the same memory.
		c.attempts.Add(-1)
		return
	}
	if a.endpoint != nil {
		a.count(a.outcome(info.Err))
		// The failure of a replica that had to be used counts for the breaker, although the replica is ejected.
		if a.admission == outlier.Forced {
			c.lastEndpoint.Store(nil)
		} else {
			c.lastEndpoint.Store(a.endpoint)
		}
	}
	c.lastTook.Store(int64(time.Since(a.started)))
	if c.stream {
		// The retries of streams are made by grpc-go, below the interceptor.
		c.client.budget.spend(c, a.number, info.Err)
	}
}

// count counts the outcome of an attempt at its end. That of a stream that has received a message counts again only if it is a failure.
func (a *attempt) count(outcome outlier.Outcome) {
	switch {
	case a.counted.CompareAndSwap(false, true):
		a.endpoint.Done(a.admission, outcome)
		a.shadow.done(outcome)
		if outcome == outlier.Success {
			a.succeeded()
		}
	case outcome == outlier.Failure:
		a.call.mu.Lock()
		answer, shadow := a.answer, a.shadowAnswer
		a.call.mu.Unlock()
		a.endpoint.FailLater(answer)
		a.shadow.failLater(shadow)
	}
}

// answered counts the first message of a stream as a success of the replica.
func (a *attempt) answered() {
	if a == nil || a.endpoint == nil || !a.counted.CompareAndSwap(false, true) {
		return
	}
	answer, shadow := a.endpoint.Answered(a.admission), a.shadow.answered()
	a.call.mu.Lock()
	a.answer, a.shadowAnswer = answer, shadow
	a.call.mu.Unlock()
	a.succeeded()
}

// succeeded starts a replica whose trial was successful.
func (a *attempt) succeeded() {
	if a.admission == outlier.Trial && a.replica != nil {
		a.replica.conn.group.Restart(a.replica.address)
	}
}

// outcome returns what an attempt says about the replica.
func (a *attempt) outcome(err error) outlier.Outcome {
	class, named := a.call.classify(a.ctx, err)
	switch {
	case class == policy.ClassSuccess:
		return outlier.Success
	// A replica that is overloaded is not broken. Without it, the others would get even more calls.
	case class == policy.ClassIgnored, rpccode.Of(err) == codes.ResourceExhausted && !named:
		return outlier.Neutral
	}
	return outlier.Failure
}

// tried reports whether the call has tried a replica already.
func (c *clientCall) tried(e *outlier.Endpoint) bool {
	if c.attempts.Load() == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.replicas {
		if one == e {
			return true
		}
	}
	return false
}

func (c *clientCall) try(e *outlier.Endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.replicas == nil {
		c.replicas = c.room[:0]
	}
	c.replicas = append(c.replicas, e)
}
