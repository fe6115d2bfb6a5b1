package xds

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// method is how the calls of some methods are made or received. In a list of methods, the first one that matches a call applies, with all of its parts.
type method struct {
	// pattern is the pattern of the methods; empty means every method.
	pattern string
	// metadata must be in the metadata of the call.
	metadata map[string]string

	deadline *policyv1.ClientDeadline
	breaker  *policyv1.Breaker
	retry    *policyv1.Retry
	hedge    *policyv1.Hedge
	classify *policyv1.Classify
	throttle *policyv1.Throttle

	serverDeadline *policyv1.ServerDeadline
	bulkhead       *policyv1.Bulkhead
	rate           *policyv1.RateLimits
	callers        *policyv1.Callers

	faults []*policyv1.Fault
}

// rule is a rule of a policy.
type rule struct {
	pattern string
	// apply replaces the parts of a method that the rule has.
	apply func(*method)
}

// methodsOf returns how the calls to a service are made.
func methodsOf(p *policyv1.EffectivePolicy, s compile.Service) []method {
	return merge(rulesFor(p, s.Name), faultsFor(p, s.Name))
}

// receivedBy returns how the calls of a pod are received.
func receivedBy(p *policyv1.EffectivePolicy) []method {
	var rules []rule
	for _, r := range p.GetServer() {
		if partial(r, r.Percent) {
			continue
		}
		rules = append(rules, rule{r.GetMethod(), func(m *method) { m.applyServer(r) }})
	}
	return merge(rules, injected(p.GetServerFaults()))
}

// merge returns the methods of rules and faults. In a policy, the last rule that matches applies for each part; a route has all parts, and the
// first one that matches applies. So there is a method for each pattern of a policy, with the parts of all rules that cover it, special before general.
// Of two patterns that share only some methods, these methods get the parts of the later rule only; see overlaps.
func merge(rules []rule, faults []*policyv1.Fault) (all []method) {
	for _, pattern := range specialFirst(patternsOf(rules, faults)) {
		m := method{pattern: pattern}
		for _, r := range rules {
			if policy.Covers(r.pattern, pattern) {
				r.apply(&m)
			}
		}
		all = append(all, m.withFaults(faults)...)
	}
	return all
}

func rulesFor(p *policyv1.EffectivePolicy, callee string) (rules []rule) {
	for _, r := range p.GetClient() {
		if partial(r, r.Percent) {
			continue
		}
		if r.GetCallee() == "" || policy.Matches(r.GetCallee(), callee) {
			rules = append(rules, rule{r.GetMethod(), func(m *method) { m.applyClient(r) }})
		}
	}
	return rules
}

func faultsFor(p *policyv1.EffectivePolicy, callee string) (faults []*policyv1.Fault) {
	for _, f := range injected(p.GetClientFaults()) {
		if f.GetCallee() == "" || policy.Matches(f.GetCallee(), callee) {
			faults = append(faults, f)
		}
	}
	return faults
}

// injected returns the faults that have an effect: those that are not in shadow mode, which xDS clients do not have.
func injected(all []*policyv1.Fault) (faults []*policyv1.Fault) {
	for _, f := range all {
		if !f.GetShadow() {
			faults = append(faults, f)
		}
	}
	return faults
}

// partial reports whether a rule is in shadow mode or applies to a share of the calls. Such a rule is not translated: xDS clients enforce a rule for
// every call.
func partial(r interface{ GetShadow() bool }, percent *float64) bool {
	return r.GetShadow() || percent != nil && *percent < 100
}

// patternsOf returns the patterns of rules and faults, those that apply rather than others first, and the pattern of every method.
func patternsOf(rules []rule, faults []*policyv1.Fault) (patterns []string) {
	for _, r := range slices.Backward(rules) {
		patterns = append(patterns, plain(r.pattern))
	}
	for _, f := range faults {
		patterns = append(patterns, plain(f.GetMethod()))
	}
	patterns = append(patterns, "")
	seen := map[string]bool{}
	return slices.DeleteFunc(patterns, func(p string) bool {
		was := seen[p]
		seen[p] = true
		return was
	})
}

func plain(pattern string) string {
	if pattern == "*/*" {
		return ""
	}
	return pattern
}

// specialFirst sorts patterns so that none comes before one that it covers. Otherwise they keep their order.
func specialFirst(patterns []string) (sorted []string) {
	for len(patterns) > 0 {
		next := slices.IndexFunc(patterns, func(p string) bool {
			return !slices.ContainsFunc(patterns, func(other string) bool { return other != p && policy.Covers(p, other) && !policy.Covers(other, p) })
		})
		sorted = append(sorted, patterns[next])
		patterns = slices.Delete(patterns, next, next+1)
	}
	return sorted
}

func (m *method) applyClient(r *policyv1.ClientRule) {
	if r.GetDeadline() != nil {
		m.deadline = r.GetDeadline()
	}
	if r.GetBreaker() != nil {
		m.breaker = r.GetBreaker()
	}
	if r.GetRetry() != nil {
		m.retry = r.GetRetry()
		if m.retry.GetMaxAttempts() != 1 {
			m.hedge = nil
		}
	}
	if r.GetHedge() != nil {
		m.hedge = r.GetHedge()
	}
	if r.GetClassify() != nil {
		m.classify = r.GetClassify()
	}
	if r.GetThrottle() != nil {
		m.throttle = r.GetThrottle()
	}
}

func (m *method) applyServer(r *policyv1.ServerRule) {
	if r.GetDeadline() != nil {
		m.serverDeadline = r.GetDeadline()
	}
	if r.GetBulkhead() != nil {
		m.bulkhead = r.GetBulkhead()
	}
	if r.GetRate() != nil {
		m.rate = r.GetRate()
	}
	if r.GetCallers() != nil {
		m.callers = r.GetCallers()
	}
}

// withFaults returns the method with the faults that affect it: once for each set of metadata that a fault requires, and once for other calls.
func (m method) withFaults(faults []*policyv1.Fault) (all []method) {
	var required []map[string]string
	for _, f := range faults {
		if policy.Covers(f.GetMethod(), m.pattern) && !slices.ContainsFunc(required, func(other map[string]string) bool { return maps.Equal(other, f.GetMetadata()) }) {
			required = append(required, f.GetMetadata())
		}
	}
	// A call with more of the metadata is affected by more faults.
	slices.SortStableFunc(required, func(a, b map[string]string) int { return len(b) - len(a) })
	if len(required) == 0 || len(required[len(required)-1]) > 0 {
		required = append(required, nil)
	}
	for _, metadata := range required {
		one := m
		one.metadata = metadata
		for _, f := range faults {
			if policy.Covers(f.GetMethod(), m.pattern) && includes(metadata, f.GetMetadata()) {
				one.faults = append(one.faults, f)
			}
		}
		all = append(all, one)
	}
	return all
}

func includes(metadata, part map[string]string) bool {
	for key, value := range part {
		if has, ok := metadata[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// match returns which calls a method concerns.
func (m method) match() *route.RouteMatch {
	match := pathOf(m.pattern)
	for _, key := range slices.Sorted(maps.Keys(m.metadata)) {
		match.Headers = append(match.Headers, &route.HeaderMatcher{Name: strings.ToLower(key), HeaderMatchSpecifier: &route.HeaderMatcher_StringMatch{
			StringMatch: &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: m.metadata[key]}}}})
	}
	return match
}

// pathOf returns which paths match a pattern of methods.
func pathOf(pattern string) *route.RouteMatch {
	service, name, _ := strings.Cut(pattern, "/")
	switch {
	case pattern == "":
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/"}}
	case !strings.ContainsAny(pattern, "*?"):
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_Path{Path: "/" + pattern}}
	case name == "*" && !strings.ContainsAny(service, "*?"):
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/" + service + "/"}}
	}
	return &route.RouteMatch{PathSpecifier: &route.RouteMatch_SafeRegex{SafeRegex: &matcher.RegexMatcher{Regex: "/" + expression(pattern)}}}
}

func expression(pattern string) string {
	return strings.NewReplacer(`\*`, `[^/]*`, `\?`, `[^/]`).Replace(regexp.QuoteMeta(pattern))
}
