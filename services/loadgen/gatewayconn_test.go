package loadgen

import (
	"context"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// fakeGateway announces each call, and answers it when answer is closed.
type fakeGateway struct {
	userv1.UnimplementedUserServiceServer
	called chan struct{}
	answer chan struct{}
}

func (f fakeGateway) GetUser(ctx context.Context, _ *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	select {
	case f.called <- struct{}{}:
	default:
	}
	select {
	case <-f.answer:
		return &userv1.GetUserResponse{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveGateway serves until the test ends, and returns the address.
func serveGateway(t *testing.T, f fakeGateway) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	userv1.RegisterUserServiceServer(s, f)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestSetGateway_LosesNoCallInFlight(t *testing.T) {
	former := fakeGateway{called: make(chan struct{}, 1), answer: make(chan struct{})}
	next := fakeGateway{called: make(chan struct{}, 1), answer: make(chan struct{})}
	close(next.answer)
	var conns []*grpc.ClientConn
	s := &Server{loads: newLoads(prometheus.NewRegistry()), events: governance.NewEvents(0), through: func(g *loadgenv1.Gateway) (*grpc.ClientConn, error) {
		conn, err := grpc.NewClient("passthrough:///"+g.GetAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		conns = append(conns, conn)
		return conn, err
	}}
	_, err := s.StartLoad(t.Context(), &loadgenv1.StartLoadRequest{Name: "l", Method: "user.v1.UserService/GetUser", Rate: 100,
		Gateway: &loadgenv1.Gateway{Address: serveGateway(t, former)}})
	if err != nil {
		t.Fatal(err)
	}
	<-former.called
	set := &loadgenv1.SetGatewayRequest{Name: "l", Gateway: &loadgenv1.Gateway{Address: serveGateway(t, next)}}
	if _, err := s.SetGateway(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	<-next.called
	if got := conns[0].GetState(); got != connectivity.Ready {
		t.Errorf("with a call in flight, the former connection is %s", got)
	}
	close(former.answer)
	eventually(t, "the former connection is closed", func() bool { return conns[0].GetState() == connectivity.Shutdown })
	last, err := s.StopLoad(t.Context(), &loadgenv1.StopLoadRequest{Name: "l"})
	if err != nil || len(last.GetErrors()) > 0 || last.GetOk() != last.GetSent() {
		t.Errorf("%v, %v", last, err)
	}
	if got := conns[1].GetState(); got != connectivity.Shutdown {
		t.Errorf("the connection of a stopped load is %s", got)
	}
}

func TestStartLoad_GatewayIsConnectedFirst(t *testing.T) {
	var opened *grpc.ClientConn
	s := &Server{loads: newLoads(prometheus.NewRegistry()), events: governance.NewEvents(0), through: func(g *loadgenv1.Gateway) (conn *grpc.ClientConn, err error) {
		opened, err = grpc.NewClient("passthrough:///"+g.GetAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		return opened, err
	}}
	defer s.loads.close()
	// The load makes no calls, so it does not connect by itself.
	_, err := s.StartLoad(t.Context(), &loadgenv1.StartLoadRequest{Name: "l", Method: "user.v1.UserService/GetUser", Gateway: &loadgenv1.Gateway{Address: serveGateway(t, fakeGateway{})}})
	if err != nil || opened.GetState() != connectivity.Ready {
		t.Errorf("%v; the connection is %s", err, opened.GetState())
	}
}

func TestSetGateway_Refused(t *testing.T) {
	s := &Server{loads: newLoads(prometheus.NewRegistry()), events: governance.NewEvents(0), conns: map[string]invoker{"userservice": newGatewayConn(nil)},
		through: func(*loadgenv1.Gateway) (*grpc.ClientConn, error) {
			return grpc.NewClient("passthrough:///127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
		}}
	defer s.loads.close()
	if _, err := s.StartLoad(t.Context(), &loadgenv1.StartLoadRequest{Name: "direct", Target: "userservice", Method: "user.v1.UserService/GetUser"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]codes.Code{"direct": codes.FailedPrecondition, "none": codes.NotFound} {
		if _, err := s.SetGateway(t.Context(), &loadgenv1.SetGatewayRequest{Name: name}); status.Code(err) != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestGatewayConn_ClosedByTheEndOfItsLoad(t *testing.T) {
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient("passthrough:///127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first, late := dial(), dial()
	defer func() { _ = late.Close() }()
	g := newGatewayConn(first)
	g.close()
	if first.GetState() != connectivity.Shutdown {
		t.Error("the connection is open after the end of the load")
	}
	if g.replace(late) || late.GetState() == connectivity.Shutdown {
		t.Error("the connection of a load that has ended was replaced")
	}
	if err := g.Invoke(t.Context(), "/user.v1.UserService/GetUser", nil, nil); status.Code(err) != codes.Canceled {
		t.Errorf("a call after the end of the load: %v", err)
	}
}
