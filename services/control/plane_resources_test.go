package control

import (
	"context"
	"slices"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	resources "github.com/grpc-sandbox/sandbox/services/control/xds"
)

// request requests resources over a new stream, and returns the names of those that the first response has.
func request(t *testing.T, control, agent, node, kind string, names ...string) ([]string, error) {
	t.Helper()
	conn, err := grpc.NewClient(control, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discovery.DiscoveryRequest{TypeUrl: kind, ResourceNames: names, Node: &core.Node{Id: node, UserAgentName: agent}}); err != nil {
		t.Fatal(err)
	}
	r, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	got := []string{}
	for _, packed := range r.GetResources() {
		m, err := packed.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, cache.GetResourceName(m))
	}
	return got, nil
}

func TestPlane_OnlyRequestedResourcesOfTheNamespace(t *testing.T) {
	one := startBackend(t, "users-1", nil)
	elsewhere := one.pod
	elsewhere.Namespace = "elsewhere"
	plane, control := startShop(t, one)
	plane.Store.SetPod(elsewhere)
	caller := callerPod()
	caller.IP, caller.Port = "127.0.0.2", 8443
	plane.Store.SetPod(caller)
	for _, c := range []struct {
		agent  string
		kind   string
		names  []string
		want   []string
		refuse codes.Code
	}{
		{agent: "gRPC Go", kind: resources.ListenerType, names: []string{"users", "users.shop:8443", "users.elsewhere", "nobody", "*"}, want: []string{"users", "users.shop:8443"}},
		{agent: "gRPC Go", kind: resources.RouteType, names: []string{"users.shop", "users.elsewhere"}, want: []string{"users.shop"}},
		{agent: "gRPC Go", kind: resources.ClusterType, names: []string{"users.shop"}, want: []string{"users.shop"}},
		{agent: "gRPC Go", kind: resources.EndpointType, names: []string{"users.elsewhere", "caller.shop"}, want: []string{"caller.shop"}},
		{agent: "gRPC Go", kind: resources.EndpointType, names: []string{"nobody"}, want: []string{}},
		{agent: "gRPC Go", kind: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", names: []string{"users"}, refuse: codes.InvalidArgument},
		// A sidecar gets all listeners and clusters, of its namespace and its pod.
		{agent: "envoy", kind: resources.ListenerType, want: []string{"inbound", "outbound"}},
		{agent: "envoy", kind: resources.ClusterType, names: []string{"*"}, want: []string{"caller.shop", "inbound", "users.shop"}},
		{agent: "envoy", kind: resources.RouteType, names: []string{"outbound"}, want: []string{"outbound"}},
		{agent: "envoy", kind: resources.EndpointType, names: []string{"users.shop", "users.elsewhere"}, want: []string{"users.shop"}},
	} {
		got, err := request(t, control.address, c.agent, "shop/caller-1", c.kind, c.names...)
		if status.Code(err) != c.refuse || !slices.Equal(got, c.want) {
			t.Errorf("%s %v: got %v, %v; want %v", c.kind, c.names, got, err, c.want)
		}
	}

	other := callerPod()
	other.Name, other.Account = "other-1", "other"
	plane.Store.SetPod(other)
	for node, want := range map[string]codes.Code{"shop/other-1": codes.PermissionDenied, "elsewhere/users-1": codes.PermissionDenied, "shop/unknown": codes.Unavailable, "": codes.PermissionDenied} {
		if _, err := request(t, control.address, "gRPC Go", node, resources.ListenerType, "users"); status.Code(err) != want {
			t.Errorf("node %q: %v, want %s", node, err, want)
		}
	}
}
