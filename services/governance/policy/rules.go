package policy

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Rules is an immutable policy. What applies to a method is computed at the first call of the method.
type Rules struct {
	source *policyv1.EffectivePolicy
	// pod is the name of the pod, for faults that affect only some.
	pod string
	// exempt has the patterns of methods that are exempt in addition to health and callersOnly.
	exempt []string
	// limitsCallers means that a rule has a list of callers.
	limitsCallers bool
	servers       oncemap.Map[string, *ServerRule]
	clients       oncemap.Map[edge, *ClientRule]
}

// edge is a method of a callee.
type edge struct{ callee, method string }

// ServerRule is what is enforced for one served method.
type ServerRule struct {
	// DeadlineRequired refuses calls without a deadline.
	DeadlineRequired bool
	// Timeout and StreamTimeout are the deadlines of calls that have none; 0 means no deadline.
	Timeout, StreamTimeout time.Duration
	// Margin is subtracted from the deadline that the handler gets.
	Margin time.Duration
	// MaxConcurrent is the number of calls that are served at a time; 0 means no limit.
	MaxConcurrent int64
	// Limits are the rate limits. A call needs a token of each.
	Limits []*policyv1.RateLimit
	// Priority is the share of the adaptive limit that the method may use.
	Priority policyv1.Priority
	// MaxPriority is the highest priority that a caller may choose for a call; unspecified means that its choice is ignored.
	MaxPriority policyv1.Priority
	// ShedGroup is the group of methods with which it shares that limit; empty means none.
	ShedGroup string
	// Exempt methods are health, reflection and control. Nothing here applies to them, except lists of callers to some.
	Exempt bool
	// Faults are injected into every call.
	Faults []*fault.Fault

	// callers are patterns; nil means all callers.
	callers []string
}

// LimitsCallers reports whether there is a list of callers.
func (r *ServerRule) LimitsCallers() bool { return r.callers != nil }

// Allows reports whether a caller may call the method. A caller without an identity is on no list.
func (r *ServerRule) Allows(caller string) bool {
	return r.callers == nil || caller != "" && pattern.MatchesAny(r.callers, caller)
}

// ClientRule is what is enforced for one called method.
type ClientRule struct {
	// Timeout is the deadline of a unary call that has none; 0 means that the policy sets none.
	Timeout time.Duration
	// NoTimeout means that a unary call without a deadline gets none.
	NoTimeout bool
	// StreamTimeout is the deadline of a stream that has none; 0 means no deadline.
	StreamTimeout time.Duration
	// StreamMax is the longest deadline of a stream; 0 means that the policy sets none.
	StreamMax time.Duration
	// Breaker overrides settings of the breaker; it may be nil.
	Breaker *policyv1.Breaker
	// Retry says when a call is repeated; nil means never.
	Retry *policyv1.Retry
	// Hedge says when further attempts start while earlier ones are still running; nil means never.
	Hedge *policyv1.Hedge
	// Throttle says which share of the calls is refused while many fail; nil means none.
	Throttle *policyv1.Throttle
	// NoFallback means that the fallback of the program is not used.
	NoFallback bool
	// Faults are injected into every call.
	Faults []*fault.Fault

	// classes has what the policy says about codes.
	classes classes
}

func compile(p *policyv1.EffectivePolicy, pod string, exempt ...string) *Rules {
	return &Rules{source: p, pod: pod, exempt: exempt,
		limitsCallers: slices.ContainsFunc(p.GetServer(), func(r *policyv1.ServerRule) bool { return r.GetCallers() != nil })}
}

// LimitsCallers reports whether there is a list of callers for any method.
func (r *Rules) LimitsCallers() bool { return r.limitsCallers }

// Server returns the rule for a served method, given as package.Service/Method.
func (r *Rules) Server(method string) *ServerRule { return r.servers.Of(method, r.serverRule) }

// Client returns the rule for a method of a callee.
func (r *Rules) Client(callee, method string) *ClientRule {
	return r.clients.Of(edge{callee, method}, r.clientRule)
}

// Shed returns the adaptive limit of the process; nil means none.
func (r *Rules) Shed() *policyv1.Shed { return r.source.GetShed() }

// Tuning returns the transport settings of the server. They are nil if the policy has none.
func (r *Rules) Tuning() *policyv1.Tuning { return r.source.GetTuning() }

// Rate returns the limits of all received calls together; nil means none.
func (r *Rules) Rate() []*policyv1.RateLimit { return r.source.GetRate().GetLimits() }

func (r *Rules) serverRule(method string) *ServerRule {
	s := &ServerRule{Timeout: 10 * time.Second, StreamTimeout: time.Hour, Margin: 10 * time.Millisecond,
		Priority: policyv1.Priority_PRIORITY_NORMAL, Exempt: r.Exempt(method)}
	if !s.Exempt || pattern.MatchesAny(callersOnly, method) {
		s.callers = r.callers(method)
	}
	if s.Exempt {
		return s
	}
	var chosen *policyv1.CallerPriority
	for _, rule := range r.source.GetServer() {
		if !pattern.Matches(rule.GetMethod(), method) {
			continue
		}
		if d := rule.GetDeadline(); d != nil {
			s.DeadlineRequired = d.GetRequired()
			s.Timeout = duration(d.GetTimeout(), 10*time.Second)
			s.StreamTimeout = duration(d.GetStreamTimeout(), time.Hour)
			s.Margin = duration(d.GetMargin(), 10*time.Millisecond)
			if d.GetNone() {
				s.Timeout = 0
			}
			if d.GetStreamNone() {
				s.StreamTimeout = 0
			}
		}
		if b := rule.GetBulkhead(); b != nil {
			s.MaxConcurrent = int64(b.GetMaxConcurrent())
		}
		if l := rule.GetRate(); l != nil {
			s.Limits = l.GetLimits()
		}
		if p := rule.GetPriority(); p != policyv1.Priority_PRIORITY_UNSPECIFIED {
			s.Priority = p
		}
		if g := rule.GetShedGroup(); g != "" {
			s.ShedGroup = g
		}
		if c := rule.GetCallerPriority(); c != nil {
			chosen = c
		}
	}
	if chosen != nil && !chosen.GetDisabled() {
		// A caller that chooses nothing has the priority of the method.
		s.MaxPriority = max(s.Priority, chosen.GetMax())
	}
	s.Faults = fault.ForMethod(r.source.GetServerFaults(), r.pod, "", method)
	return s
}

// callers returns the last list that matches the method, and nil if there is none.
func (r *Rules) callers(method string) (allowed []string) {
	for _, rule := range r.source.GetServer() {
		if a := rule.GetCallers(); a != nil && pattern.Matches(rule.GetMethod(), method) {
			allowed = append([]string{}, a.GetAllow()...)
		}
	}
	return allowed
}

func (r *Rules) clientRule(e edge) *ClientRule {
	c := &ClientRule{StreamTimeout: time.Hour}
	if r.Exempt(e.method) {
		return c
	}
	for _, rule := range r.source.GetClient() {
		if !pattern.Matches(rule.GetCallee(), e.callee) || !pattern.Matches(rule.GetMethod(), e.method) {
			continue
		}
		if d := rule.GetDeadline(); d != nil {
			c.Timeout = duration(d.GetTimeout(), 0)
			c.StreamTimeout = duration(d.GetStreamTimeout(), time.Hour)
			c.StreamMax = duration(d.GetStreamTimeout(), 0)
			c.NoTimeout = d.GetNone()
			if d.GetStreamNone() {
				c.StreamTimeout = 0
			}
		}
		if b := rule.GetBreaker(); b != nil {
			c.Breaker = b
		}
		if t := rule.GetRetry(); t != nil {
			c.Retry = t
			if t.GetMaxAttempts() == 1 {
				c.Retry = nil
			}
		}
		if h := rule.GetHedge(); h != nil {
			c.Hedge = h
			if h.GetMaxAttempts() == 1 {
				c.Hedge = nil
			}
		}
		if f := rule.GetFallback(); f != nil {
			c.NoFallback = f.GetDisabled()
		}
		if t := rule.GetThrottle(); t != nil {
			c.Throttle = t
			if t.GetDisabled() {
				c.Throttle = nil
			}
		}
		if k := rule.GetClassify(); k != nil {
			c.classes = classesOf(k)
		}
	}
	c.Breaker = breakerBehind(c.Throttle, c.Breaker)
	c.Faults = fault.ForMethod(r.source.GetClientFaults(), r.pod, e.callee, e.method)
	return c
}

func duration(d *durationpb.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.AsDuration()
}

// breakerBehind returns the breaker of a method. Behind a throttle its default ratio is higher, because it would otherwise open before the throttle has
// an effect.
func breakerBehind(t *policyv1.Throttle, b *policyv1.Breaker) *policyv1.Breaker {
	if t == nil || b != nil && b.FailureRatio != nil {
		return b
	}
	behind := &policyv1.Breaker{}
	proto.Merge(behind, b)
	behind.FailureRatio = proto.Float64(0.9)
	return behind
}
