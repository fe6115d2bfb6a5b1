package governance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// serverMethod is the state of one served method: its rule in the current policy, and what is kept across policies.
type serverMethod struct {
	name     string
	metrics  *callMetrics
	span     spanTemplate
	gauge    prometheus.Gauge
	inFlight atomic.Int64
	// all counts the calls for the limits of rules for every call, and shares those for the limits of the others.
	all    serverShare
	shares oncemap.Map[policy.Share, *serverShare]
	ruled  atomic.Pointer[serverRuled]
	// shadows reports what rules in shadow mode would have refused.
	shadows *shadowReport
	// refusals logs the callers that are not on the list.
	refusals *throttledLog
}

// serverShare counts the calls of a method for the limits of its rules: all calls, or a share of them.
type serverShare struct {
	rates    limit.Rates
	inFlight atomic.Int64
}

type serverRuled struct {
	rules *policy.Rules
	rule  *policy.ServerRule
	// rates has the limits.
	rates  *limit.Rates
	limits []*limit.Rate
	// bulkhead counts the calls in flight.
	bulkhead *serverShare
	// whole has the limits of all methods together.
	whole *serverRates
	// shares apply to shares of the calls, as those of the rule.
	shares []*serverRuled
	// shadow is nil if no rule in shadow mode matches.
	shadow *serverShadow
	// group is the group of methods whose adaptive limit is shed.
	group *shedGroup
	shed  *limit.Shedding
}

// shedGroup is the adaptive limit of a group of methods.
type shedGroup struct {
	limit.Shedder
	inFlight prometheus.Gauge
}

// unknownMethod is the name in metrics and spans of all methods that are not registered, and of methods that a client calls beyond mostUnlinked. A server with a handler for unknown methods, such as a
// proxy, would otherwise keep series, buckets and a rule for each name that a client invents.
const unknownMethod = "unknown/unknown"

// method returns the state of a method. Methods that are not registered share one, as far as the policy treats them in the same way.
func (s *server) method(rules *policy.Rules, fullMethod, kind string) *serverMethod {
	if m, made := s.methods.Get(fullMethod); made {
		return m
	}
	name := bareMethod(fullMethod)
	if s.registered != nil && s.registered()[name] == "" {
		return s.unknown.Of(rules.Matching(name), func(string) *serverMethod { return s.newMethod(unknownMethod, kind) })
	}
	return s.methods.Of(fullMethod, func(string) *serverMethod { return s.newMethod(name, kind) })
}

func (s *server) newMethod(name, kind string) *serverMethod {
	return &serverMethod{name: name, metrics: s.cfg.Metrics.server.method(kind, name), span: newSpanTemplate(trace.SpanKindServer, name),
		gauge: s.cfg.Metrics.inFlight.WithLabelValues(name), refusals: newThrottledLog(s.cfg.Log),
		shadows: &shadowReport{side: "server", method: name, metrics: s.cfg.Metrics, events: s.cfg.Events, log: s.cfg.Log}}
}

// rule returns the rule for a method. name is its own name, if m is shared.
func (s *server) rule(rules *policy.Rules, m *serverMethod, name string) *serverRuled {
	if r := m.ruled.Load(); r != nil && r.rules == rules {
		return r
	}
	var rule *policy.ServerRule
	if m.name == unknownMethod {
		rule = rules.Unregistered(name)
	} else {
		rule = rules.Server(name)
	}
	s.endShedding()
	r := s.ruled(rules, m, rule)
	for _, share := range rule.Shares {
		r.shares = append(r.shares, s.ruled(rules, m, share))
	}
	m.ruled.Store(r)
	return r
}

// ruled returns what a rule needs to be enforced.
func (s *server) ruled(rules *policy.Rules, m *serverMethod, rule *policy.ServerRule) *serverRuled {
	rates := &m.share(rule.LimitsOf).rates
	r := &serverRuled{rules: rules, rule: rule, rates: rates, limits: rates.Follow(rule.Limits), bulkhead: m.share(rule.MaxConcurrentOf), whole: s.whole(rule.RateOf)}
	r.shadow = s.shadow(m, rule)
	r.group, r.shed = s.shedding(rule.ShedOf, cmp.Or(rule.ShedGroup, m.name))
	return r
}

// share returns what counts a share of the calls.
func (m *serverMethod) share(of policy.Share) *serverShare {
	if of == (policy.Share{}) {
		return &m.all
	}
	return m.shares.Of(of, func(policy.Share) *serverShare { return &serverShare{} })
}

// drawn returns the rule for a call, and draws a number for it if it has not been drawn when the headers arrived.
func (r *serverRuled) drawn(ctx context.Context, random func() float64) *serverRuled {
	if len(r.shares) == 0 {
		return r
	}
	number, ok := ctx.Value(numberKey{}).(float64)
	if !ok {
		number = 100 * random()
	}
	for _, share := range r.shares {
		if number < share.rule.Percent {
			return share
		}
	}
	return r
}

// numberKey is the key of the number that was drawn for a call when its headers arrived.
type numberKey struct{}

// whole returns the limits of all calls together, or of a share of them.
func (s *server) whole(of policy.Share) *serverRates {
	return s.wholes.Of(of, func(of policy.Share) *serverRates { return &serverRates{of: of} })
}

// shedKey identifies a group of methods within a share of the calls.
type shedKey struct {
	share policy.Share
	name  string
}

// shedding returns a group and its adaptive limit, if the policy in force has one.
func (s *server) shedding(of policy.Share, name string) (*shedGroup, *limit.Shedding) {
	if s.shedInForce(of) == nil {
		return nil, nil
	}
	group := s.shedders.Of(shedKey{of, name}, func(key shedKey) *shedGroup {
		if of.Shadow {
			return &shedGroup{Shedder: limit.Shedder{OnLimit: func(float64) {}}}
		}
		limits := s.cfg.Metrics.shedLimit.WithLabelValues(of.Name(name))
		return &shedGroup{Shedder: limit.Shedder{OnLimit: limits.Set}, inFlight: s.cfg.Metrics.shedCalls.WithLabelValues(of.Name(name))}
	})
	return group, group.Follow(func() *policyv1.Shed { return s.shedInForce(of) })
}

// endShedding ends the limits of all groups for which the policy in force has none, also of those that it no longer names.
func (s *server) endShedding() {
	for key, group := range s.shedders.All() {
		if s.shedInForce(key.share) == nil {
			group.Follow(func() *policyv1.Shed { return s.shedInForce(key.share) })
		}
	}
}

// running returns the methods with calls in flight and the number of those calls.
func (s *server) running() []string {
	var methods []string
	for _, m := range slices.Concat(slices.Collect(maps.Values(s.methods.All())), slices.Collect(maps.Values(s.unknown.All()))) {
		if n := m.inFlight.Load(); n > 0 {
			methods = append(methods, fmt.Sprintf("%s (%d)", m.name, n))
		}
	}
	slices.Sort(methods)
	return methods
}

func (s *server) shedInForce(of policy.Share) *policyv1.Shed { return s.cfg.Policy.Rules().Shed(of) }
