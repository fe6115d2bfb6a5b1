package loadgen

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

func TestStartLoad_ThroughTheGateway(t *testing.T) {
	var opened *grpc.ClientConn
	s := &Server{loads: newLoads(prometheus.NewRegistry()), events: governance.NewEvents(0), through: func(g *loadgenv1.Gateway) (*grpc.ClientConn, error) {
		var err error
		opened, err = grpc.NewClient("passthrough:///"+g.GetAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		return opened, err
	}}
	start := func(method string) error {
		_, err := s.StartLoad(t.Context(), &loadgenv1.StartLoadRequest{Name: "l", Target: "is not in TARGETS", Method: method, Gateway: &loadgenv1.Gateway{Address: "127.0.0.1:1"}})
		return err
	}
	// A load that does not start leaves no connection.
	if err := start("no.Such/Method"); status.Code(err) != codes.InvalidArgument || opened.GetState() != connectivity.Shutdown {
		t.Errorf("a load that does not start: %v, connection %s", err, opened.GetState())
	}
	if err := start("user.v1.UserService/GetUser"); err != nil {
		t.Fatal(err)
	}
	if got := opened.GetState(); got == connectivity.Shutdown {
		t.Error("the connection of a running load is closed")
	}
	if _, err := s.StopLoad(t.Context(), &loadgenv1.StopLoadRequest{Name: "l"}); err != nil {
		t.Fatal(err)
	}
	if got := opened.GetState(); got != connectivity.Shutdown {
		t.Errorf("the connection of a stopped load is %s", got)
	}
}

func TestThroughGateway_BadCertificates(t *testing.T) {
	p, err := governance.Start(t.Context(), t.Output(), governance.Config{Service: "loadgen", TLSDir: "off"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if _, err := throughGateway(p, &loadgenv1.Gateway{Address: "gateway:8443"}); err == nil || !strings.Contains(err.Error(), "certificate of the partner") {
		t.Errorf("got %v", err)
	}
}
