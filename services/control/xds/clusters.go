package xds

import (
	"math"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// clusterOf returns the name of the cluster for a method. Methods with a breaker or throttling have a cluster of their own, because it is the cluster
// that has the limits. A grpc client has no other limit than that of concurrent calls.
func clusterOf(kind Kind, s compile.Service, m method) string {
	own := m.breaker != nil && m.breaker.MaxConcurrent != nil || kind == Envoy && (m.breaker != nil || m.throttle != nil)
	if !own || m.pattern == "" {
		return hostOf(s)
	}
	return hostOf(s) + "/" + m.pattern
}

// clustersOf returns the clusters of the methods of a service.
func clustersOf(in Input, s compile.Service, methods []method) (all []*cluster.Cluster) {
	done := map[string]bool{}
	for _, m := range methods {
		name := clusterOf(in.Kind, s, m)
		// The cluster of the service has the limits for every method.
		if done[name] || name == hostOf(s) && m.pattern != "" {
			continue
		}
		done[name] = true
		c := baseCluster(name, in.Policy, s)
		if in.Kind == Envoy {
			sidecarCluster(c, in, s, m)
		} else {
			c.CircuitBreakers = maxRequests(m.breaker)
			if in.TrustDomain != "" {
				c.TransportSocket = tlsSocket(grpcTLS(in.TrustDomain, s))
			}
		}
		all = append(all, c)
	}
	return all
}

// baseCluster returns a cluster with what is the same for all methods of a service and all kinds of clients.
func baseCluster(name string, p *policyv1.EffectivePolicy, s compile.Service) *cluster.Cluster {
	c := &cluster.Cluster{Name: name, ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig: &cluster.Cluster_EdsClusterConfig{EdsConfig: fromADS(), ServiceName: hostOf(s)}, LbPolicy: cluster.Cluster_ROUND_ROBIN}
	conn := connectionOf(p, s.Name)
	if conn.GetLeastRequest() {
		c.LbPolicy = cluster.Cluster_LEAST_REQUEST
		c.LbConfig = &cluster.Cluster_LeastRequestLbConfig_{LeastRequestLbConfig: &cluster.Cluster_LeastRequestLbConfig{ChoiceCount: wrapperspb.UInt32(choices)}}
	}
	c.OutlierDetection = outlierDetection(conn.GetOutlierEjection())
	return c
}

// choices is the number of random replicas of policy.v1.LoadBalancing.
const choices = 4

func tlsSocket(config proto.Message) *core.TransportSocket {
	return &core.TransportSocket{Name: "envoy.transport_sockets.tls", ConfigType: &core.TransportSocket_TypedConfig{TypedConfig: packed(config)}}
}

// connectionOf merges the connections to a callee: for each part, the last one applies that has it. An ejection in shadow mode is not translated.
func connectionOf(p *policyv1.EffectivePolicy, callee string) *policyv1.Connection {
	out := &policyv1.Connection{}
	for _, c := range p.GetConnections() {
		if c.GetCallee() != callee {
			continue
		}
		if c.LeastRequest != nil {
			out.LeastRequest = c.LeastRequest
		}
		if c.GetOutlierEjection() != nil && !c.GetOutlierEjection().GetShadow() {
			out.OutlierEjection = c.GetOutlierEjection()
		}
		if c.GetRetryBudget() != nil {
			out.RetryBudget = c.GetRetryBudget()
		}
		if c.GetTuning() != nil {
			out.Tuning = c.GetTuning()
		}
		if c.GetSlowStart() != nil {
			out.SlowStart = c.GetSlowStart()
		}
	}
	return out
}

// maxRequests returns the limit of concurrent calls; nil for that of the client.
func maxRequests(b *policyv1.Breaker) *cluster.CircuitBreakers {
	if b == nil || b.MaxConcurrent == nil {
		return nil
	}
	limit := b.GetMaxConcurrent()
	if limit == 0 {
		limit = math.MaxUint32
	}
	return &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{{MaxRequests: wrapperspb.UInt32(limit)}}}
}

// endpoints returns the pods of a service.
func endpoints(s compile.Service) *endpoint.ClusterLoadAssignment {
	a := &endpoint.ClusterLoadAssignment{ClusterName: hostOf(s)}
	if len(s.Endpoints) == 0 {
		return a
	}
	local := &endpoint.LocalityLbEndpoints{Locality: &core.Locality{}, LoadBalancingWeight: wrapperspb.UInt32(1)}
	for _, e := range s.Endpoints {
		local.LbEndpoints = append(local.LbEndpoints, &endpoint.LbEndpoint{HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address(e.IP, e.Port)}}})
	}
	a.Endpoints = append(a.Endpoints, local)
	return a
}

func address(ip string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: ip, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port}}}}
}
