package governance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
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
	rates    limit.Rates
	ruled    atomic.Pointer[serverRuled]
	// refusals logs the callers that are not on the list.
	refusals *throttledLog
}

type serverRuled struct {
	rules  *policy.Rules
	rule   *policy.ServerRule
	limits []*limit.Rate
	// group is the group of methods whose adaptive limit is shed.
	group *shedGroup
	shed  *limit.Shedding
}

// shedGroup is the adaptive limit of a group of methods.
type shedGroup struct {
	limit.Shedder
	inFlight prometheus.Gauge
}

// unknownMethod is the name in metrics and spans of all methods that are not registered. A server with a handler for unknown methods, such as a
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
		gauge: s.cfg.Metrics.inFlight.WithLabelValues(name), refusals: newThrottledLog(s.cfg.Log)}
}

// rule returns the rule for a method. name is its own name, if m is shared.
func (s *server) rule(rules *policy.Rules, m *serverMethod, name string) *serverRuled {
	if r := m.ruled.Load(); r != nil && r.rules == rules {
		return r
	}
	r := &serverRuled{rules: rules}
	if m.name == unknownMethod {
		r.rule = rules.Unregistered(name)
	} else {
		r.rule = rules.Server(name)
	}
	r.limits = m.rates.Follow(r.rule.Limits)
	r.group, r.shed = s.shedding(cmp.Or(r.rule.ShedGroup, m.name))
	m.ruled.Store(r)
	return r
}

// shedding returns a group and its adaptive limit, if the policy in force has one.
func (s *server) shedding(name string) (*shedGroup, *limit.Shedding) {
	if s.shedInForce() == nil {
		// The limits of all groups end, also of those that the policy no longer names.
		for _, group := range s.shedders.All() {
			group.Follow(s.shedInForce)
		}
		return nil, nil
	}
	group := s.shedders.Of(name, func(name string) *shedGroup {
		limits := s.cfg.Metrics.shedLimit.WithLabelValues(name)
		return &shedGroup{Shedder: limit.Shedder{OnLimit: limits.Set}, inFlight: s.cfg.Metrics.shedCalls.WithLabelValues(name)}
	})
	return group, group.Follow(s.shedInForce)
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

func (s *server) shedInForce() *policyv1.Shed { return s.cfg.Policy.Rules().Shed() }
