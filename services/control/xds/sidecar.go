package xds

import (
	"maps"
	"slices"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// A sidecar has two listeners:
//
//	program ──plaintext──▶ outbound, 127.0.0.1:15001 ──mutual TLS──▶ pods of the called service, which is the authority of the call
//	callers ──mutual TLS──▶ inbound, the port of the pod at its address ──plaintext──▶ program, the same port at 127.0.0.1
const (
	outbound     = "outbound"
	outboundPort = 15001
	inbound      = "inbound"
	loopback     = "127.0.0.1"
)

// addSidecar adds the listeners and routes of a sidecar, and the clusters of its program.
func (r Resources) addSidecar(in Input, services map[string]compile.Service) {
	r.add(ListenerType, outbound, sidecarListener(outbound, address(loopback, outboundPort), core.TrafficDirection_OUTBOUND, filtersOf(injected(in.Policy.GetClientFaults()))))
	config := &route.RouteConfiguration{Name: outbound, IgnorePortInHostMatching: true}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		config.VirtualHosts = append(config.VirtualHosts, outboundHost(in.Policy, services[name]))
	}
	r.add(RouteType, outbound, config)
	if in.Pod.IP == "" || in.Pod.Port == 0 {
		return
	}
	methods := receivedBy(in.Policy)
	l := sidecarListener(inbound, address(in.Pod.IP, in.Pod.Port), core.TrafficDirection_INBOUND, filtersOf(injected(in.Policy.GetServerFaults()), receivingFilters(in.Policy, methods)...))
	if in.TrustDomain != "" {
		l.FilterChains[0].TransportSocket = tlsSocket(downstreamTLS())
	}
	r.add(ListenerType, inbound, l)
	r.add(RouteType, inbound, inboundRoutes(methods))
	for _, c := range inboundClusters(in, methods) {
		r.add(ClusterType, c.GetName(), c)
	}
}

func sidecarListener(name string, at *core.Address, direction core.TrafficDirection, filters []*hcm.HttpFilter) *listener.Listener {
	return &listener.Listener{Name: name, Address: at, TrafficDirection: direction, FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
		Name: "http", ConfigType: &listener.Filter_TypedConfig{TypedConfig: packed(&hcm.HttpConnectionManager{StatPrefix: name,
			RouteSpecifier: &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{RouteConfigName: name, ConfigSource: fromADS()}}, HttpFilters: filters,
			// Envoy would end a stream that is silent for 5 minutes.
			StreamIdleTimeout: durationpb.New(0),
		})}}}}}}
}

// outboundHost returns the routes of the calls to a service.
func outboundHost(p *policyv1.EffectivePolicy, s compile.Service) *route.VirtualHost {
	host := &route.VirtualHost{Name: hostOf(s), Domains: []string{s.Name, hostOf(s), hostOf(s) + ".svc", hostOf(s) + ".svc.cluster.local"}}
	for _, m := range methodsOf(p, s) {
		action := routeTo(clusterOf(Envoy, s, m))
		action.MaxStreamDuration = unlessGiven(m.deadline.GetTimeout())
		action.RetryPolicy, action.HedgePolicy = sidecarRetries(m)
		host.Routes = append(host.Routes, &route.Route{Match: m.match(), Action: &route.Route_Route{Route: action}, TypedPerFilterConfig: overrides(m)})
	}
	return host
}

// inboundRoutes returns the routes of the calls that the program receives.
func inboundRoutes(methods []method) *route.RouteConfiguration {
	host := &route.VirtualHost{Name: inbound, Domains: []string{"*"}}
	for _, m := range methods {
		action := routeTo(inboundCluster(m))
		action.MaxStreamDuration = unlessGiven(m.serverDeadline.GetTimeout())
		host.Routes = append(host.Routes, &route.Route{Match: m.match(), Action: &route.Route_Route{Route: action}, TypedPerFilterConfig: receivingOverrides(m)})
	}
	return &route.RouteConfiguration{Name: inbound, VirtualHosts: []*route.VirtualHost{host}}
}

// routeTo returns a route without a time-out; that of Envoy is 15 seconds.
func routeTo(cluster string) *route.RouteAction {
	return &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: cluster}, Timeout: durationpb.New(0)}
}

// unlessGiven returns the time-out of calls that have none; a call with one keeps it.
func unlessGiven(d *durationpb.Duration) *route.RouteAction_MaxStreamDuration {
	if d == nil {
		return nil
	}
	return &route.RouteAction_MaxStreamDuration{MaxStreamDuration: d, GrpcTimeoutHeaderMax: durationpb.New(0)}
}

// sidecarRetryOn is retryOn for Envoy, which distinguishes the answer UNAVAILABLE from a connection that fails. ABORTED is matched by its number.
var sidecarRetryOn = map[string][]string{"UNAVAILABLE": {"unavailable", "connect-failure", "refused-stream"}, "RESOURCE_EXHAUSTED": {"resource-exhausted"}, "ABORTED": {"retriable-headers"}}

// sidecarRetries returns the policies of retries and of hedging. A method with hedging is not retried in addition.
func sidecarRetries(m method) (*route.RetryPolicy, *route.HedgePolicy) {
	if h := m.hedge; h != nil && attempts(h) > 1 {
		retry := sidecarRetry(&policyv1.Retry{MaxAttempts: attempts(h), PerTryTimeout: h.GetDelay()})
		return retry, &route.HedgePolicy{HedgeOnPerTryTimeout: true}
	}
	return sidecarRetry(m.retry), nil
}

func attempts(h *policyv1.Hedge) uint32 {
	if h.MaxAttempts == nil {
		return 2
	}
	return h.GetMaxAttempts()
}

func sidecarRetry(r *policyv1.Retry) *route.RetryPolicy {
	if r.GetMaxAttempts() < 2 {
		return nil
	}
	// The codes that grpc-go cannot retry are no obstacle here.
	p := retryPolicy(&policyv1.Retry{MaxAttempts: r.GetMaxAttempts(), InitialBackoff: r.GetInitialBackoff(), MaxBackoff: r.GetMaxBackoff()})
	var on []string
	for _, code := range retryCodes(r) {
		on = append(on, sidecarRetryOn[code]...)
		if code == "ABORTED" {
			p.RetriableHeaders = []*route.HeaderMatcher{{Name: "grpc-status", HeaderMatchSpecifier: &route.HeaderMatcher_StringMatch{
				StringMatch: &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: "10"}}}}}
		}
	}
	p.RetryOn, p.PerTryTimeout = joined(on), r.GetPerTryTimeout()
	return p
}

// everywhere is a share of all calls.
func everywhere() *core.RuntimeFractionalPercent {
	return &core.RuntimeFractionalPercent{DefaultValue: percentage(&policyv1.Fault{})}
}

func unlimited() *wrapperspb.UInt32Value { return wrapperspb.UInt32(maxUint32) }
