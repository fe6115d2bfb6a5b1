package governance

import (
	"context"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// serverRates are the limits of all calls of a server together, or of a share of them.
type serverRates struct {
	limit.Rates
	of      policy.Share
	mu      sync.Mutex
	current atomic.Pointer[serverLimits]
}

// serverLimits are the limits under one policy.
type serverLimits struct {
	rules  *policy.Rules
	limits []*limit.Rate
	policy []*policyv1.RateLimit
}

// under returns the limits under the policy in force, which is rules except during a change.
func (r *serverRates) under(rules *policy.Rules, inForce func() *policy.Rules) *serverLimits {
	if c := r.current.Load(); c != nil && c.rules == rules {
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// Not rules: a call that began before the change must not bring back the former limits.
	rules = inForce()
	next := &serverLimits{rules: rules, policy: rules.Rate(r.of)}
	next.limits = r.Follow(next.policy)
	r.current.Store(next)
	return next
}

// limitRate checks the rate limits, and waits if they say so. The limits of the method come first, so that calls which they refuse take no
// tokens of the other methods.
func (c *serverCall) limitRate() error {
	if len(c.limits) > 0 {
		if err := c.take(c.rates, c.limits, c.rule.Limits, c.method.name); err != nil {
			return err
		}
	}
	if all := c.whole.under(c.rules, c.server.cfg.Policy.Rules); len(all.limits) > 0 {
		return c.take(&c.whole.Rates, all.limits, all.policy, "this server")
	}
	return nil
}

func (c *serverCall) take(from *limit.Rates, limits []*limit.Rate, policy []*policyv1.RateLimit, of string) error {
	turn, refused := from.Take(limits, c.callerIfNeeded(limits), untilDeadline(c.ctx))
	if refused.For > 0 {
		_ = grpc.SetTrailer(c.ctx, metadata.Pairs("grpc-retry-pushback-ms", c.pushback(refused)))
		return refusal.New(codes.ResourceExhausted, refusal.ReasonRateLimited, "too many calls of "+of, refusal.After(refused.For),
			refusal.Quota(of, int64(lowestRate(policy))))
	}
	if turn == nil {
		return nil
	}
	since := time.Now()
	err := turn.Wait(c.ctx)
	c.server.cfg.Metrics.queued.WithLabelValues(c.method.name).Add(time.Since(since).Seconds())
	if err != nil {
		return status.FromContextError(err).Err()
	}
	return nil
}

// pushback returns the milliseconds after which a client of gRPC that retries on its own tries again. It is -1, which means never, if no attempt
// can succeed before the caller's deadline: otherwise the client would wait for the deadline, and its caller would not get the reason.
func (c *serverCall) pushback(refused limit.Refused) string {
	if !c.until.IsZero() && refused.Turn >= time.Until(c.until) {
		return "-1"
	}
	return strconv.FormatInt(int64(math.Ceil(float64(refused.For)/float64(time.Millisecond))), 10)
}

func (c *serverCall) callerIfNeeded(limits []*limit.Rate) string {
	for _, l := range limits {
		if l.PerCaller() {
			return Caller(c.ctx)
		}
	}
	return ""
}

// lowestRate returns the lowest rate among limits, in calls per second.
func lowestRate(limits []*policyv1.RateLimit) float64 {
	lowest := math.Inf(1)
	for _, l := range limits {
		lowest = min(lowest, limit.PerSecond(l))
	}
	return lowest
}

// untilDeadline returns the time until the deadline of a context, and the longest duration if it has none.
func untilDeadline(ctx context.Context) time.Duration {
	if at, has := ctx.Deadline(); has {
		return time.Until(at)
	}
	return math.MaxInt64
}
