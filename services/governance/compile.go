package governance

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/oncemap"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// compiled is an immutable policy. What applies to a method is computed at the first call of the method.
type compiled struct {
	source *policyv1.EffectivePolicy
	// exempt has the patterns of methods that are exempt in addition to alwaysExempt.
	exempt  []string
	servers oncemap.Map[string, *serverRule]
	clients oncemap.Map[edge, *clientRule]
}

// edge is a method of a callee. method has no leading slash.
type edge struct{ callee, method string }

// serverRule is what is enforced for one served method.
type serverRule struct {
	deadlineRequired       bool
	timeout, streamTimeout time.Duration
	margin                 time.Duration
	// maxConcurrent 0 means no limit.
	maxConcurrent int64
	limits        []*policyv1.RateLimit
	priority      policyv1.Priority
	// callers nil means all.
	callers []string
	// exempt methods are health, reflection and control. Nothing here applies to them, except callers to those in callersOnly.
	exempt bool
	faults []*fault.Fault
}

// clientRule is what is enforced for one called method.
type clientRule struct {
	timeout, streamTimeout time.Duration
	// breaker may be nil.
	breaker *policyv1.Breaker
	// retry nil means no retries.
	retry      *policyv1.Retry
	noFallback bool
	faults     []*fault.Fault
}

func compile(p *policyv1.EffectivePolicy, exempt ...string) *compiled {
	return &compiled{source: p, exempt: exempt}
}

func (c *compiled) server(method string) *serverRule { return c.servers.Of(method, c.serverRule) }

func (c *compiled) client(callee, method string) *clientRule {
	return c.clients.Of(edge{callee, method}, c.clientRule)
}

func (c *compiled) serverRule(method string) *serverRule {
	r := &serverRule{timeout: 10 * time.Second, streamTimeout: time.Hour, margin: 10 * time.Millisecond,
		priority: policyv1.Priority_PRIORITY_NORMAL, exempt: c.isExempt(method)}
	if !r.exempt || pattern.MatchesAny(callersOnly, method) {
		r.callers = c.callers(method)
	}
	if r.exempt {
		return r
	}
	for _, rule := range c.source.GetServer() {
		if !pattern.Matches(rule.GetMethod(), method) {
			continue
		}
		if d := rule.GetDeadline(); d != nil {
			r.deadlineRequired = d.GetRequired()
			r.timeout = duration(d.GetTimeout(), 10*time.Second)
			r.streamTimeout = duration(d.GetStreamTimeout(), time.Hour)
			r.margin = duration(d.GetMargin(), 10*time.Millisecond)
		}
		if b := rule.GetBulkhead(); b != nil {
			r.maxConcurrent = int64(b.GetMaxConcurrent())
		}
		if l := rule.GetRate(); l != nil {
			r.limits = l.GetLimits()
		}
		if p := rule.GetPriority(); p != policyv1.Priority_PRIORITY_UNSPECIFIED {
			r.priority = p
		}
	}
	r.faults = fault.ForMethod(c.source.GetServerFaults(), "", method)
	return r
}

// callers returns the last list that matches the method, and nil if there is none.
func (c *compiled) callers(method string) (allowed []string) {
	for _, rule := range c.source.GetServer() {
		if a := rule.GetCallers(); a != nil && pattern.Matches(rule.GetMethod(), method) {
			allowed = append([]string{}, a.GetAllow()...)
		}
	}
	return allowed
}

func (c *compiled) clientRule(e edge) *clientRule {
	r := &clientRule{streamTimeout: time.Hour}
	if c.isExempt(e.method) {
		return r
	}
	for _, rule := range c.source.GetClient() {
		if !pattern.Matches(rule.GetCallee(), e.callee) || !pattern.Matches(rule.GetMethod(), e.method) {
			continue
		}
		if d := rule.GetDeadline(); d != nil {
			r.timeout = duration(d.GetTimeout(), 0)
			r.streamTimeout = duration(d.GetStreamTimeout(), time.Hour)
		}
		if b := rule.GetBreaker(); b != nil {
			r.breaker = b
		}
		if t := rule.GetRetry(); t != nil {
			r.retry = t
			if t.GetMaxAttempts() == 1 {
				r.retry = nil
			}
		}
		if f := rule.GetFallback(); f != nil {
			r.noFallback = f.GetDisabled()
		}
	}
	r.faults = fault.ForMethod(c.source.GetClientFaults(), e.callee, e.method)
	return r
}

// connection returns the last matching entry. It is never nil.
func (c *compiled) connection(callee string) *policyv1.Connection {
	found := &policyv1.Connection{}
	for _, conn := range c.source.GetConnections() {
		if pattern.Matches(conn.GetCallee(), callee) {
			found = conn
		}
	}
	return found
}

func duration(d *durationpb.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.AsDuration()
}
