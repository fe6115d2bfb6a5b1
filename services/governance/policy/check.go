package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// checker collects the problems of a policy. The path of a field is written as in a file: client[1].breaker.failureRatio.
type checker struct{ problems []Problem }

func check(p *policyv1.EffectivePolicy) []Problem {
	c := &checker{}
	for i, r := range p.GetServer() {
		c.server(fmt.Sprintf("server[%d].", i), r)
	}
	for i, r := range p.GetClient() {
		c.client(fmt.Sprintf("client[%d].", i), r)
	}
	for i, f := range p.GetServerFaults() {
		c.wantTry(f.GetCallee() == "", fmt.Sprintf("serverFaults[%d].callee", i), "must be empty, because a server fault has no callee", "clientFaults")
		c.fault(fmt.Sprintf("serverFaults[%d].", i), f)
	}
	for i, f := range p.GetClientFaults() {
		c.fault(fmt.Sprintf("clientFaults[%d].", i), f)
	}
	for i, conn := range p.GetConnections() {
		at := fmt.Sprintf("connections[%d].", i)
		c.pattern(at+"callee", conn.GetCallee())
		c.tuning(at+"tuning.", conn.GetTuning())
		if o := conn.GetOutlierEjection(); o != nil {
			c.outliers(at+"outlierEjection.", o)
		}
		if b := conn.GetRetryBudget(); b != nil {
			c.want(b.MaxTokens == nil || b.GetMaxTokens() >= 1 && b.GetMaxTokens() <= 1000, at+"retryBudget.maxTokens", "must be from 1 to 1000")
			c.want(b.TokenRatio == nil || inRange(b.GetTokenRatio(), 1e-3, 1000), at+"retryBudget.tokenRatio", "must be from 0.001 to 1000")
		}
	}
	if s := p.GetShed(); s != nil {
		c.atLeast(1, "shed.minLimit", s.MinLimit)
		c.atLeast(1, "shed.maxLimit", s.MaxLimit)
		c.atLeast(1, "shed.initialLimit", s.InitialLimit)
		limits := limit.BoundsOf(s)
		c.want(limits.Min <= limits.Initial && limits.Initial <= limits.Max, "shed",
			fmt.Sprintf("needs minLimit <= initialLimit <= maxLimit, and they are %d, %d and %d", limits.Min, limits.Initial, limits.Max))
	}
	c.tuning("tuning.", p.GetTuning())
	c.rates("rate.", p.GetRate())
	return c.problems
}

func (c *checker) want(holds bool, field, why string) { c.wantTry(holds, field, why, "") }

// wantTry is want with a value that would be accepted.
func (c *checker) wantTry(holds bool, field, why, try string) {
	if !holds {
		c.problems = append(c.problems, Problem{Field: field, Why: why, Try: try})
	}
}

// atLeast checks a number that has a default if it is unset.
func (c *checker) atLeast(least uint32, field string, set *uint32) {
	c.want(set == nil || *set >= least, field, fmt.Sprintf("must be at least %d", least))
}

// not checks that a field which is set is not together with one that contradicts it.
func (c *checker) not(set, other bool, field, name string) {
	c.want(!set || !other, field, "cannot be together with "+name)
}

func (c *checker) pattern(field, text string) {
	err := pattern.Check(text)
	c.wantTry(err == nil, field, fmt.Sprintf("%q is not a pattern", text), "user.v1.UserService/Get*")
	if strings.HasSuffix(field, "method") && text != "" {
		c.wantTry(strings.Count(text, "/") == 1 && !strings.HasPrefix(text, "/"), field,
			fmt.Sprintf("%q can match no method, which is written package.Service/Method", text), "*/*")
	}
}

func (c *checker) duration(field string, d *durationpb.Duration, least time.Duration) {
	if d == nil {
		return
	}
	c.want(d.CheckValid() == nil && d.AsDuration() >= least && d.AsDuration() < math.MaxInt64/2, field, fmt.Sprintf("must be at least %s", least))
}

func (c *checker) server(at string, r *policyv1.ServerRule) {
	c.pattern(at+"method", r.GetMethod())
	if d := r.GetDeadline(); d != nil {
		c.duration(at+"deadline.timeout", d.GetTimeout(), time.Millisecond)
		c.duration(at+"deadline.streamTimeout", d.GetStreamTimeout(), time.Millisecond)
		c.duration(at+"deadline.margin", d.GetMargin(), 0)
		c.not(d.GetNone(), d.GetTimeout() != nil, at+"deadline.none", "timeout")
		c.not(d.GetStreamNone(), d.GetStreamTimeout() != nil, at+"deadline.streamNone", "streamTimeout")
		c.not(d.GetRequired(), d.GetNone() || d.GetStreamNone(), at+"deadline.required", "none or streamNone")
	}
	c.rates(at+"rate.", r.GetRate())
	if p := r.GetCallerPriority(); p != nil {
		c.not(p.GetDisabled(), p.GetMax() != policyv1.Priority_PRIORITY_UNSPECIFIED, at+"callerPriority.disabled", "max")
	}
	for i, a := range r.GetCallers().GetAllow() {
		field := fmt.Sprintf("%scallers.allow[%d]", at, i)
		c.pattern(field, a)
		c.wantTry(a != "", field, "is empty", "spiffe://sandbox.local/ns/shop/sa/*")
	}
}

func (c *checker) rates(at string, r *policyv1.RateLimits) {
	for i, l := range r.GetLimits() {
		field := fmt.Sprintf("%slimits[%d]", at, i)
		switch a := l.GetAlgorithm().(type) {
		case *policyv1.RateLimit_TokenBucket:
			c.want(inRange(a.TokenBucket.GetRate(), 1e-6, 1e9), field+".tokenBucket.rate", "must be a number of calls per second above 0")
			c.atLeast(1, field+".tokenBucket.burst", a.TokenBucket.Burst)
		case *policyv1.RateLimit_LeakyBucket:
			c.want(inRange(a.LeakyBucket.GetRate(), 1e-6, 1e9), field+".leakyBucket.rate", "must be a number of calls per second above 0")
		default:
			c.want(false, field, "has neither tokenBucket nor leakyBucket")
		}
	}
}

func (c *checker) client(at string, r *policyv1.ClientRule) {
	c.pattern(at+"callee", r.GetCallee())
	c.pattern(at+"method", r.GetMethod())
	if d := r.GetDeadline(); d != nil {
		c.duration(at+"deadline.timeout", d.GetTimeout(), time.Millisecond)
		c.duration(at+"deadline.streamTimeout", d.GetStreamTimeout(), time.Millisecond)
		c.not(d.GetNone(), d.GetTimeout() != nil, at+"deadline.none", "timeout")
		c.not(d.GetStreamNone(), d.GetStreamTimeout() != nil, at+"deadline.streamNone", "streamTimeout")
	}
	if b := r.GetBreaker(); b != nil {
		c.want(b.FailureRatio == nil || inRange(b.GetFailureRatio(), 1e-9, 1), at+"breaker.failureRatio", "must be a share above 0 and up to 1")
		c.atLeast(1, at+"breaker.minCalls", b.MinCalls)
		c.atLeast(1, at+"breaker.probes", b.Probes)
		c.duration(at+"breaker.window", b.GetWindow(), 10*time.Millisecond)
		c.duration(at+"breaker.open", b.GetOpen(), time.Millisecond)
		c.duration(at+"breaker.maxOpen", b.GetMaxOpen(), time.Millisecond)
	}
	if t := r.GetRetry(); t != nil && t.GetMaxAttempts() != 1 {
		c.retry(at+"retry.", t)
	}
	if h := r.GetHedge(); h != nil && h.GetMaxAttempts() != 1 {
		c.want(h.GetIdempotent(), at+"hedge.idempotent", "must be true: hedge only methods that may be called twice")
		c.want(h.MaxAttempts == nil || h.GetMaxAttempts() >= 2 && h.GetMaxAttempts() <= 5, at+"hedge.maxAttempts", "must be from 2 to 5, or 1 for no hedging")
		c.wantTry(h.GetDelay() != nil, at+"hedge.delay", "is missing", "50ms")
		c.duration(at+"hedge.delay", h.GetDelay(), time.Millisecond)
	}
}

func (c *checker) outliers(at string, o *policyv1.OutlierEjection) {
	c.want(o.ConsecutiveFailures == nil || o.GetConsecutiveFailures() > 0, at+"consecutiveFailures", "must be at least 1")
	c.want(o.FailureRatio == nil || inRange(o.GetFailureRatio(), 0.01, 1), at+"failureRatio", "must be a share from 0.01 to 1")
	c.duration(at+"baseEjectionTime", o.GetBaseEjectionTime(), 10*time.Millisecond)
	c.duration(at+"maxEjectionTime", o.GetMaxEjectionTime(), 10*time.Millisecond)
	c.want(o.MaxEjectionPercent == nil || o.GetMaxEjectionPercent() >= 1 && o.GetMaxEjectionPercent() <= 100, at+"maxEjectionPercent", "must be from 1 to 100")
}

// safeToRetry are the codes after which a call can be repeated: it was not executed, or executing it again is harmless.
var safeToRetry = []codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.Aborted}

func (c *checker) retry(at string, t *policyv1.Retry) {
	c.want(t.GetIdempotent(), at+"idempotent", "must be true: retry only methods that may be called twice")
	c.want(t.GetMaxAttempts() >= 2 && t.GetMaxAttempts() <= 5, at+"maxAttempts", "must be from 2 to 5, or 1 for no retries")
	for i, name := range t.GetCodes() {
		code, known := rpccode.Named(name)
		c.want(known && slices.Contains(safeToRetry, code), fmt.Sprintf("%scodes[%d]", at, i),
			fmt.Sprintf("%q is not UNAVAILABLE, RESOURCE_EXHAUSTED or ABORTED", name))
	}
	c.duration(at+"initialBackoff", t.GetInitialBackoff(), time.Microsecond)
	c.duration(at+"maxBackoff", t.GetMaxBackoff(), time.Microsecond)
	c.duration(at+"perTryTimeout", t.GetPerTryTimeout(), time.Millisecond)
	c.want(t.Multiplier == nil || inRange(t.GetMultiplier(), 1, 100), at+"multiplier", "must be from 1 to 100")
}

func (c *checker) fault(at string, f *policyv1.Fault) {
	c.pattern(at+"callee", f.GetCallee())
	c.pattern(at+"pod", f.GetPod())
	c.pattern(at+"method", f.GetMethod())
	c.want(inRange(f.GetPercent(), 0, 100), at+"percent", "must be from 0 to 100")
	c.duration(at+"duration", f.GetDuration(), time.Millisecond)
	c.duration(at+"leaseTime", f.GetLeaseTime(), time.Second)
	c.want(f.GetLeaseTime() == nil || f.GetUid() != "", at+"uid", "must be set for a fault with leaseTime")
	fault.Check(f, func(field, why, try string) { c.wantTry(false, strings.TrimSuffix(at+field, "."), why, try) })
}

func (c *checker) tuning(at string, t *policyv1.Tuning) {
	if t == nil {
		return
	}
	const window, most = 64 << 10, math.MaxInt32
	for _, w := range []struct {
		field string
		set   *uint32
		from  uint32
	}{
		{"maxMessageBytes", t.MaxMessageBytes, 1}, {"streamWindowBytes", t.StreamWindowBytes, window},
		{"connectionWindowBytes", t.ConnectionWindowBytes, window}, {"maxMetadataBytes", t.MaxMetadataBytes, 1024},
	} {
		c.want(w.set == nil || *w.set >= w.from && *w.set <= most, at+w.field, fmt.Sprintf("must be from %d to %d bytes", w.from, most))
	}
	c.duration(at+"keepaliveTime", t.GetKeepaliveTime(), 10*time.Second)
	c.duration(at+"keepaliveTimeout", t.GetKeepaliveTimeout(), time.Millisecond)
}

// Both comparisons are false for NaN.
func inRange(x, least, most float64) bool { return x >= least && x <= most }
