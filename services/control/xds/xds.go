// Package xds translates compiled policies to the resources of clients that speak xDS themselves: grpc-go with xds:/// targets, and Envoy. It is a
// pure function: equal input gives equal resources, with equal versions.
//
//	EffectivePolicy ──▶ rules per method ──┬─▶ Listener ─▶ RouteConfiguration ─▶ Cluster ─▶ ClusterLoadAssignment   (grpc-go)
//	services ──────────────────────────────┴─▶ the same for the listeners of a sidecar                             (Envoy)
//	Value ──▶ Judge ──▶ verdict of each field: what the client does with it
//
// A resource has only what a policy names: the defaults of governance are not sent.
package xds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// The types of resources.
const (
	ListenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"
	RouteType    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	ClusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	EndpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
)

// Types has the types of resources in the order in which a client requests them.
var Types = []string{ListenerType, RouteType, ClusterType, EndpointType}

// Kind is a kind of client.
type Kind string

// The kinds of clients.
const (
	// Governance is a process that receives an EffectivePolicy.
	Governance Kind = "governance"
	// GRPC is a program with xds:/// targets. The verdicts are those of grpc-go.
	GRPC Kind = "grpc"
	// Envoy is a sidecar.
	Envoy Kind = "envoy"
	// NGINX is a gateway, whose agent receives an EffectivePolicy and whose nginx enforces it.
	NGINX Kind = "nginx"
)

// KindOf returns the kind of a client by the user agent of its node.
func KindOf(agent string) Kind {
	if agent == "envoy" {
		return Envoy
	}
	return GRPC
}

// Input is everything on which the resources of a client depend.
type Input struct {
	// Kind is the kind of the client.
	Kind Kind
	// Pod is the pod of the client.
	Pod compile.Pod
	// Policy is what the pod must enforce.
	Policy *policyv1.EffectivePolicy
	// Services are the services that the client calls.
	Services []compile.Service
	// Listeners are the targets that a grpc client requests.
	Listeners []string
	// TrustDomain is the trust domain of the identities of servers. Empty means plaintext.
	TrustDomain string
}

// Resources has resources by type and name.
type Resources map[string]map[string]proto.Message

// Build returns the resources of a client.
func Build(in Input) Resources {
	out := Resources{ListenerType: {}, RouteType: {}, ClusterType: {}, EndpointType: {}}
	services := map[string]compile.Service{}
	for _, s := range in.Services {
		if s.Exists {
			services[s.Name] = s
		}
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s := services[name]
		out.add(EndpointType, hostOf(s), endpoints(s))
		methods := methodsOf(in.Policy, s)
		for _, c := range clustersOf(in, s, methods) {
			out.add(ClusterType, c.GetName(), c)
		}
		if in.Kind == GRPC {
			out.add(RouteType, hostOf(s), grpcRoutes(s, methods))
		}
	}
	if in.Kind == Envoy {
		out.addSidecar(in, services)
		return out
	}
	for _, target := range in.Listeners {
		if s, ok := services[ServiceOf(target, in.Pod.Namespace)]; ok {
			out.add(ListenerType, target, grpcListener(target, s, filtersOf(faultsFor(in.Policy, s.Name))))
		}
	}
	return out
}

func (r Resources) add(kind, name string, m proto.Message) { r[kind][name] = m }

// Version returns a name of the content of resources. Equal resources have equal versions, in every replica of the control plane.
func Version(resources map[string]proto.Message) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(resources[name])
		if err != nil {
			// Only text that is not UTF-8 fails, which no reader of objects accepts.
			continue
		}
		fmt.Fprintf(sum, "%d %s %d ", len(name), name, len(text))
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:5])
}

// hostOf returns the name of a service in its routes, clusters and endpoints: service.namespace.
func hostOf(s compile.Service) string { return s.Name + "." + s.Namespace }

// ServiceOf returns the service that a name of a resource means, for a client of a namespace: service, service.namespace or
// service.namespace.svc.cluster.local, each with or without a port, or a cluster of the service. It returns "" for another namespace.
func ServiceOf(name, namespace string) string {
	name, _, _ = strings.Cut(name, "/")
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	service, rest, qualified := strings.Cut(name, ".")
	if !qualified {
		return service
	}
	switch rest {
	case namespace, namespace + ".svc", namespace + ".svc.cluster.local":
		return service
	}
	return ""
}
