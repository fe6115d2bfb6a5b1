package xds

import (
	"slices"
	"strings"
	"time"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// grpcRoutes returns the routes of a service for grpc clients.
func grpcRoutes(s compile.Service, methods []method) *route.RouteConfiguration {
	host := &route.VirtualHost{Name: hostOf(s), Domains: []string{"*"}}
	for _, m := range methods {
		action := &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: clusterOf(GRPC, s, m)}}
		if d := m.deadline; d.GetTimeout() != nil {
			// Without grpc_timeout_header_max: grpc-go would use it in place of this, and a 0 there means no time-out.
			action.MaxStreamDuration = &route.RouteAction_MaxStreamDuration{MaxStreamDuration: d.GetTimeout()}
		}
		action.RetryPolicy = retryPolicy(m.retry)
		host.Routes = append(host.Routes, &route.Route{Match: m.match(), Action: &route.Route_Route{Route: action}, TypedPerFilterConfig: overrides(m)})
	}
	return &route.RouteConfiguration{Name: hostOf(s), VirtualHosts: []*route.VirtualHost{host}}
}

// overrides returns the settings of filters for the calls of a method.
func overrides(m method) map[string]*anypb.Any {
	all := map[string]*anypb.Any{}
	for _, f := range m.faults {
		all[faultFilterName(f)] = packed(faultOf(f))
	}
	return all
}

// The defaults of policy.v1.Retry.
const (
	defaultInitialBackoff = 50 * time.Millisecond
	defaultMaxBackoff     = time.Second
)

// retryOn has the codes of gRPC that xDS clients retry, with their names there. ABORTED is none of them.
var retryOn = map[string]string{"UNAVAILABLE": "unavailable", "RESOURCE_EXHAUSTED": "resource-exhausted"}

// retryPolicy returns the policy of retries; nil for none.
func retryPolicy(r *policyv1.Retry) *route.RetryPolicy {
	var on []string
	for _, code := range retryCodes(r) {
		if name, ok := retryOn[code]; ok {
			on = append(on, name)
		}
	}
	if r.GetMaxAttempts() < 2 || len(on) == 0 {
		return nil
	}
	initial, most := orDefault(r.GetInitialBackoff(), defaultInitialBackoff), orDefault(r.GetMaxBackoff(), defaultMaxBackoff)
	return &route.RetryPolicy{RetryOn: strings.Join(on, ","), NumRetries: wrapperspb.UInt32(r.GetMaxAttempts() - 1),
		RetryBackOff: &route.RetryPolicy_RetryBackOff{BaseInterval: durationpb.New(min(initial, most)), MaxInterval: durationpb.New(most)}}
}

// retryCodes returns the codes after which a call is repeated, sorted.
func retryCodes(r *policyv1.Retry) []string {
	if len(r.GetCodes()) == 0 {
		return []string{"UNAVAILABLE"}
	}
	return slices.Compact(slices.Sorted(slices.Values(r.GetCodes())))
}

func orDefault(d *durationpb.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.AsDuration()
}
