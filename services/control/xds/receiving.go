package xds

import (
	"fmt"
	"math"
	"strings"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	rbacconfig "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// callersFilter is the filter that says who may call. Without settings it admits everyone.
const callersFilter = "callers"

// receivingFilters returns the filters of the calls that the program receives: who may call, the limits of all methods together, and those of single
// methods, which have their settings in the routes.
func receivingFilters(p *policyv1.EffectivePolicy, methods []method) (filters []*hcm.HttpFilter) {
	most, restricted := 0, false
	for _, m := range methods {
		most = max(most, len(enforceable(m.rate)))
		restricted = restricted || m.callers != nil
	}
	if restricted {
		filters = append(filters, filter(callersFilter, &rbac.RBAC{}))
	}
	for i, l := range enforceable(p.GetRate()) {
		filters = append(filters, filter(fmt.Sprintf("workload/%d", i), localLimit(l)))
	}
	for i := range most {
		filters = append(filters, filter(rateFilter(i), &ratelimit.LocalRateLimit{StatPrefix: "rate"}))
	}
	return filters
}

func rateFilter(i int) string { return fmt.Sprintf("rate/%d", i) }

// enforceable returns the limits that a sidecar can enforce: those of all callers together.
func enforceable(r *policyv1.RateLimits) (limits []*policyv1.RateLimit) {
	for _, l := range r.GetLimits() {
		if !l.GetPerCaller() {
			limits = append(limits, l)
		}
	}
	return limits
}

// receivingOverrides returns the settings of filters for the received calls of a method.
func receivingOverrides(m method) map[string]*anypb.Any {
	all := overrides(m)
	for i, l := range enforceable(m.rate) {
		all[rateFilter(i)] = packed(localLimit(l))
	}
	if m.callers != nil {
		all[callersFilter] = packed(&rbac.RBACPerRoute{Rbac: &rbac.RBAC{Rules: allowed(m.callers)}})
	}
	return all
}

// refill is how often tokens are added. Envoy permits no less than 50ms.
const refill = 100 * time.Millisecond

// localLimit returns the settings of a limit of calls per second.
func localLimit(l *policyv1.RateLimit) *ratelimit.LocalRateLimit {
	rate, burst := l.GetTokenBucket().GetRate(), max(1, l.GetTokenBucket().GetBurst())
	if leaky := l.GetLeakyBucket(); leaky != nil {
		rate, burst = leaky.GetRate(), max(1, leaky.GetQueue())
	}
	tokens := uint32(math.Ceil(rate * refill.Seconds()))
	// The smallest rates that a policy can have need more time than any interval that is checked.
	interval := time.Duration(min(float64(tokens)/rate, hangTime.Seconds()) * float64(time.Second))
	return &ratelimit.LocalRateLimit{StatPrefix: "rate",
		// A bucket that is smaller than a refill would lose tokens.
		TokenBucket:   &typev3.TokenBucket{MaxTokens: max(burst, tokens), TokensPerFill: wrapperspb.UInt32(tokens), FillInterval: durationpb.New(interval)},
		FilterEnabled: everywhere(), FilterEnforced: everywhere(), RateLimitedAsResourceExhausted: true}
}

// allowed returns the rules of who may call. An empty list admits no one.
func allowed(c *policyv1.Callers) *rbacconfig.RBAC {
	rules := &rbacconfig.RBAC{Action: rbacconfig.RBAC_ALLOW, Policies: map[string]*rbacconfig.Policy{}}
	var who []*rbacconfig.Principal
	for _, id := range c.GetAllow() {
		name := &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: id}}
		if strings.ContainsAny(id, "*?") {
			name = &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_SafeRegex{SafeRegex: &matcher.RegexMatcher{Regex: expression(id)}}}
		}
		who = append(who, &rbacconfig.Principal{Identifier: &rbacconfig.Principal_Authenticated_{Authenticated: &rbacconfig.Principal_Authenticated{PrincipalName: name}}})
	}
	if len(who) > 0 {
		rules.Policies["allow"] = &rbacconfig.Policy{Permissions: []*rbacconfig.Permission{{Rule: &rbacconfig.Permission_Any{Any: true}}}, Principals: who}
	}
	return rules
}

// inboundCluster returns the name of the cluster for a method that the program receives. Methods with a limit of concurrent calls have one of their own.
func inboundCluster(m method) string {
	if m.bulkhead == nil || m.pattern == "" {
		return inbound
	}
	return inbound + "/" + m.pattern
}

func inboundClusters(in Input, methods []method) (all []*cluster.Cluster) {
	done := map[string]bool{}
	for _, m := range methods {
		name := inboundCluster(m)
		if done[name] || name == inbound && m.pattern != "" {
			continue
		}
		done[name] = true
		limits := limitsOf(m.bulkhead.GetMaxConcurrent())
		limits.MaxRetries = unlimited()
		all = append(all, &cluster.Cluster{Name: name, ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_STATIC},
			LoadAssignment: &endpoint.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpoint.LocalityLbEndpoints{{LbEndpoints: []*endpoint.LbEndpoint{{
				HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address(loopback, in.Pod.Port)}}}}}}},
			CircuitBreakers:               &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{limits}},
			TypedExtensionProtocolOptions: httpOptions(&core.Http2ProtocolOptions{}, nil)})
	}
	return all
}
