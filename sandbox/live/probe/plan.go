package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// check is one probe. It decides about one or several fields.
type check struct {
	fields []string
	doing  string
	// takes is about how long it takes, in addition to the window if windowed.
	takes    time.Duration
	windowed bool
	run      func(context.Context, run) (verdict, observed string, err error)
	// opens is the method whose breaker the check may leave open in the load generator; its name is empty if there is none.
	opens Method
}

func (c check) about(window time.Duration) time.Duration {
	if c.windowed {
		return c.takes + window
	}
	return c.takes
}

const (
	// mostOffered is the highest rate of a load. A limit of more than two thirds of it is not probed: the load would show the limits of the machine.
	mostOffered = 600
	// longest is the longest time-out that is probed.
	longest = 10 * time.Second
)

const (
	noLoad   = "the load generator may not call this service"
	inShadow = "a policy in shadow mode has no effect that a call can show"
	ofShare  = "a policy for a share of the calls has no effect that every call shows"
	noMethod = "no unary method that only reads (Get…, List…) has this value"
)

// planner collects the probes of a policy, and why fields have none.
type planner struct {
	spec    *policyv1.TrafficPolicySpec
	target  Target
	checks  []check
	skipped map[string]string
}

// plan returns the probes of a policy in the order in which one disturbs the next the least.
func plan(spec *policyv1.TrafficPolicySpec, target Target) ([]check, map[string]string) {
	p := &planner{spec: spec, target: target, skipped: map[string]string{}}
	if spec.GetShadow() || spec.Percent != nil && spec.GetPercent() < 100 {
		p.skipAll()
		return nil, p.skipped
	}
	p.workloadRate()
	for _, kind := range []func(i int, at string, m *policyv1.MethodPolicy){p.rates, p.serverDeadline, p.bulkhead, p.retry, p.breaker, p.deadline} {
		for i, m := range spec.GetMethods() {
			kind(i, fmt.Sprintf("methods[%d].", i), m)
		}
	}
	return p.checks, p.skipped
}

// skipAll notes that no field of a policy can be probed that is not enforced for every call.
func (p *planner) skipAll() {
	reason := ofShare
	if p.spec.GetShadow() {
		reason = inShadow
	}
	for _, field := range []string{"maxRequestsPerSecond", "methods", "shed", "outlierEjection", "shadow", "percent"} {
		p.skipped[field] = reason
	}
}

// loaded returns the method for a probe by the load generator, or notes why there is none.
func (p *planner) loaded(i int, field string, part func(*policyv1.MethodPolicy) bool) (Method, bool) {
	if !p.target.Loaded {
		p.skipped[field] = noLoad
		return Method{}, false
	}
	return p.called(i, field, part)
}

// called returns the method for a probe, or notes why there is none.
func (p *planner) called(i int, field string, part func(*policyv1.MethodPolicy) bool) (Method, bool) {
	m, ok := p.target.method(p.spec, i, part)
	if !ok {
		p.skipped[field] = noMethod
	}
	return m, ok
}

// under returns a rate of calls that the limits of the policy do not refuse.
func (p *planner) under(rate float64, m Method) float64 {
	if most := p.target.limitOf(p.spec, m); most > 0 {
		return min(rate, most/2)
	}
	return rate
}

func (p *planner) workloadRate() {
	const field = "maxRequestsPerSecond"
	if p.spec.MaxRequestsPerSecond == nil {
		return
	}
	if !p.target.Loaded {
		p.skipped[field] = noLoad
		return
	}
	for _, m := range p.target.Methods {
		if m.harmless() {
			p.rate(field, rateLimit{method: m, limit: p.spec.GetMaxRequestsPerSecond(), whole: true})
			return
		}
	}
	p.skipped[field] = noMethod
}

func (p *planner) rates(i int, at string, m *policyv1.MethodPolicy) {
	for j, l := range m.GetRate().GetLimits() {
		part := fmt.Sprintf("%srate.limits[%d]", at, j)
		method, ok := p.loaded(i, part, func(m *policyv1.MethodPolicy) bool { return m.GetRate() != nil })
		if !ok {
			continue
		}
		limit, field := p.target.rateOf(l)
		p.rate(part+"."+field, rateLimit{method: method, limit: limit})
	}
}

func (p *planner) rate(field string, l rateLimit) {
	if lowest := p.target.limitOf(p.spec, l.method); lowest < l.limit {
		p.skipped[field] = fmt.Sprintf("another limit of the policy is lower: %g/s", lowest)
		return
	}
	if l.limit*1.5 > mostOffered {
		p.skipped[field] = fmt.Sprintf("the probe offers at most %d calls/s", mostOffered)
		return
	}
	l.offered = min(max(4*l.limit, l.limit+20), mostOffered)
	p.checks = append(p.checks, check{fields: []string{field}, doing: fmt.Sprintf("offering %.0f calls/s to %s", l.offered, l.method.Name),
		takes: settle, windowed: true, run: l.probe})
}
