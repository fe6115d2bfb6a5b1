package policy

import (
	"slices"
	"time"

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
	// wholes are the limits of all received calls together, by the calls that they count.
	wholes  map[Share]whole
	servers oncemap.Map[string, *ServerRule]
	clients oncemap.Map[edge, *ClientRule]
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

	// LimitsOf and MaxConcurrentOf are the calls that Limits and MaxConcurrent count.
	LimitsOf, MaxConcurrentOf Share
	// RateOf and ShedOf are the calls that the limits of all methods together count: see Rate and Shed of Rules.
	RateOf, ShedOf Share
	// Shares are the rules that apply instead of this one to a share of the calls, from the smallest share; nil if there are none. The first one applies
	// whose Percent is greater than the number, from 0 to 100, that was drawn for the call.
	Shares []*ServerRule
	// Percent is 0 except in Shares.
	Percent float64
	// Shadow is what rules in shadow mode say; nil if there are none.
	Shadow *ServerShadow

	// callers are patterns; nil means all callers.
	callers []string
}

// LimitsCallers reports whether there is a list of callers.
func (r *ServerRule) LimitsCallers() bool { return r.callers != nil }

// Allows reports whether a caller may call the method. A caller without an identity is on no list.
func (r *ServerRule) Allows(caller string) bool { return allows(r.callers, caller) }

func allows(patterns []string, caller string) bool {
	return patterns == nil || caller != "" && pattern.MatchesAny(patterns, caller)
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
	// Retry says when a call is repeated; nil means never. With Hedge it applies to streams only.
	Retry *policyv1.Retry
	// Hedge says when further attempts start while earlier ones are still running; nil means never.
	Hedge *policyv1.Hedge
	// Throttle says which share of the calls is refused while many fail; nil means none.
	Throttle *policyv1.Throttle
	// NoFallback means that the fallback of the program is not used.
	NoFallback bool
	// Faults are injected into every call.
	Faults []*fault.Fault

	// BreakerOf and ThrottleOf are the calls that breaker and throttle count.
	BreakerOf, ThrottleOf Share
	// Shares are the rules that apply instead of this one to a share of the calls, as those of a ServerRule; nil if there are none.
	Shares []*ClientRule
	// Percent is 0 except in Shares.
	Percent float64
	// Shadow is what rules in shadow mode say; nil if there are none.
	Shadow *ClientShadow

	// classes has what the policy says about codes.
	classes classes
}

func compile(p *policyv1.EffectivePolicy, pod string, exempt ...string) *Rules {
	return &Rules{source: p, pod: pod, exempt: exempt, wholes: wholesOf(p),
		limitsCallers: slices.ContainsFunc(p.GetServer(), func(r *policyv1.ServerRule) bool { return r.GetCallers() != nil && !r.GetShadow() })}
}

// LimitsCallers reports whether there is a list of callers for any method.
func (r *Rules) LimitsCallers() bool { return r.limitsCallers }

// Server returns the rule for a served method, given as package.Service/Method.
func (r *Rules) Server(method string) *ServerRule { return r.servers.Of(method, r.serverRule) }

// Client returns the rule for a method of a callee.
func (r *Rules) Client(callee, method string) *ClientRule {
	return r.clients.Of(edge{callee, method}, r.clientRule)
}

// Tuning returns the transport settings of the server. They are nil if the policy has none.
func (r *Rules) Tuning() *policyv1.Tuning { return r.source.GetTuning() }

func duration(d *durationpb.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.AsDuration()
}
