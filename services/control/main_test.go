package control

import (
	"context"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestMain(m *testing.M) {
	// grpc-go never closes the provider of the certificate with which an xDS client connects to its control plane.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("google.golang.org/grpc/credentials/tls/certprovider/pemfile.(*watcher).run"))
}

// output returns where logs go: standard error with -v, else nowhere.
func output() io.Writer {
	if testing.Verbose() {
		return os.Stderr
	}
	return io.Discard
}

// running is a program in this process.
type running struct {
	// pushes counts the responses that a control plane has sent to subscribers.
	pushes  *pushes
	address string
	process *governance.Process
	stop    func()
}

// run starts a program, in plaintext if it has no certificate, and waits until it serves.
func run(t testing.TB, cfg governance.Config, register func(context.Context, *governance.Process, *grpc.Server) error) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	up, ended := make(chan governance.Addresses, 1), make(chan error, 1)
	cfg.HealthAddr, cfg.MetricsAddr, cfg.DrainDelay, cfg.DrainLimit = "127.0.0.1:0", "127.0.0.1:0", governance.Off, time.Second
	if cfg.TLSDir == "" {
		cfg.TLSDir = "off"
	}
	if cfg.ListenAddr == "" {
		cfg.ListenAddr = "127.0.0.1:0"
	}
	cfg.Ready = func(a governance.Addresses) { up <- a }
	var r running
	go func() {
		ended <- governance.Run(ctx, output(), cfg, func(p *governance.Process, s *grpc.Server) error {
			r.process = p
			return register(ctx, p, s)
		})
	}()
	stopped := false
	r.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", cfg.Service, err)
			}
		}
	}
	t.Cleanup(func() { r.stop() })
	select {
	case a := <-up:
		r.address = a.Service
	case err := <-ended:
		t.Fatal(err)
	}
	return r
}

// startPlane starts a control plane at an address; "" chooses one.
func startPlane(t testing.TB, address string) (*Plane, running) {
	t.Helper()
	var plane *Plane
	sent := &pushes{}
	r := run(t, governance.Config{Service: "control", ListenAddr: address, Options: []grpc.ServerOption{grpc.ChainStreamInterceptor(sent.count)}}, func(ctx context.Context, p *governance.Process, s *grpc.Server) error {
		plane = Register(ctx, p, s, Config{Identify: func(context.Context) (ads.Identity, error) {
			return ads.Identity{Namespace: "shop", Account: "users"}, nil
		}})
		return nil
	})
	r.pushes = sent
	return plane, r
}

// pushes counts messages.
type pushes struct{ atomic.Int64 }

func (p *pushes) count(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.FullMethod == discovery.AggregatedDiscoveryService_StreamAggregatedResources_FullMethodName {
		stream = countedStream{stream, p}
	}
	return handler(srv, stream)
}

type countedStream struct {
	grpc.ServerStream
	sent *pushes
}

func (s countedStream) SendMsg(m any) error {
	s.sent.Add(1)
	return s.ServerStream.SendMsg(m)
}

type answering struct {
	testv1.UnimplementedTestServiceServer
}

func (answering) UnaryCall(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	return &testv1.SimpleResponse{}, nil
}

// startService starts a pod that receives its policy from a control plane, and returns a client of it.
func startService(t *testing.T, pod, control string) (running, testv1.TestServiceClient) {
	t.Helper()
	r := run(t, governance.Config{Service: "users", Pod: pod}, func(_ context.Context, p *governance.Process, s *grpc.Server) error {
		testv1.RegisterTestServiceServer(s, answering{})
		return subscriber.Start(p, subscriber.Config{Addr: control, Namespace: "shop"})
	})
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return r, testv1.NewTestServiceClient(conn)
}

func podNamed(name string) compile.Pod {
	return compile.Pod{Namespace: "shop", Name: name, Account: "users", Labels: map[string]string{compile.ServiceLabel: "users"}, Ready: true, Created: time.Unix(1, 0)}
}

func policyOf(t testing.TB, name, text string) compile.TrafficPolicy {
	t.Helper()
	return policyOfService(t, name, "users", text)
}

func policyOfService(t testing.TB, name, service, text string) compile.TrafficPolicy {
	t.Helper()
	spec := &policyv1.TrafficPolicySpec{}
	if _, err := policy.Decode([]byte("selector: {matchLabels: {app.kubernetes.io/name: "+service+"}}\n"+text), spec); err != nil {
		t.Fatal(err)
	}
	return compile.TrafficPolicy{Object: compile.Object{Kind: compile.KindTrafficPolicy, Namespace: "shop", Name: name, UID: name, Generation: 1, Created: time.Unix(1, 0)}, Spec: spec}
}

// soon waits until a condition is true.
func soon(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

func code(ctx context.Context, c testv1.TestServiceClient) codes.Code {
	_, err := c.UnaryCall(ctx, &testv1.SimpleRequest{})
	return status.Code(err)
}
