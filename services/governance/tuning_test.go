package governance

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

func TestTuning_LargeMessages(t *testing.T) {
	serve := fake{unary: func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return &testv1.SimpleResponse{Payload: req.GetPayload()}, nil
	}}
	client := wire(t, serve, ServerConfig{}, ClientConfig{Timeout: 30 * time.Second})
	if _, err := client.UnaryCall(t.Context(), body(15<<20)); err != nil {
		t.Error(err)
	}
	if _, err := client.UnaryCall(t.Context(), body(16<<20)); status.Code(err) != codes.ResourceExhausted {
		t.Error("got", err)
	}
	small := wire(t, serve, ServerConfig{}, ClientConfig{Policy: policyOf(t, "connections: [{callee: callee, tuning: {maxMessageBytes: 1000}}]")})
	if _, err := small.UnaryCall(t.Context(), body(1001)); status.Code(err) != codes.ResourceExhausted {
		t.Error("got", err)
	}
}

// sizes records the size of the latest payload on the wire.
type sizes struct {
	stats.Handler
	wire, plain atomic.Int64
}

func (*sizes) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*sizes) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*sizes) HandleConn(context.Context, stats.ConnStats)                       {}
func (s *sizes) HandleRPC(_ context.Context, e stats.RPCStats) {
	if in, ok := e.(*stats.InPayload); ok {
		s.wire.Store(int64(in.CompressedLength))
		s.plain.Store(int64(in.Length))
	}
}

func TestTuning_Gzip(t *testing.T) {
	for _, on := range []bool{false, true} {
		seen := &sizes{}
		client := wire(t, fake{}, ServerConfig{Options: []grpc.ServerOption{grpc.StatsHandler(seen)}},
			ClientConfig{Policy: policyOf(t, fmt.Sprintf("connections: [{tuning: {gzip: %v}}]", on))})
		_, err := client.UnaryCall(t.Context(), body(100000))
		must(t, err)
		if small := seen.wire.Load() < 1000; small != on || seen.plain.Load() < 100000 {
			t.Errorf("gzip %v: %d bytes of %d on the wire", on, seen.wire.Load(), seen.plain.Load())
		}
	}
}

// replicas starts servers on real ports behind one name.
func replicas(t *testing.T, n int, work func(replica int) error) []resolver.Endpoint {
	t.Helper()
	var list []resolver.Endpoint
	for i := range n {
		s := Server(ServerConfig{Log: quiet})
		testv1.RegisterTestServiceServer(s, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			return &testv1.SimpleResponse{}, work(i)
		}})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		go func() { _ = s.Serve(l) }()
		t.Cleanup(s.Stop)
		list = append(list, resolver.Endpoint{Addresses: []resolver.Address{{Addr: l.Addr().String()}}})
	}
	return list
}

// dialAll connects to replicas under a policy.
func dialAll(t *testing.T, text string, all []resolver.Endpoint) testv1.TestServiceClient {
	t.Helper()
	names := manual.NewBuilderWithScheme("replicas")
	names.InitialState(resolver.State{Endpoints: all})
	conn, err := Dial("replicas:///all", ClientConfig{Callee: "callee", Log: quiet, Timeout: 10 * time.Second, Policy: policyOf(t, text),
		Resolvers: []resolver.Builder{names}})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return testv1.NewTestServiceClient(conn)
}

func TestDial_RoundRobin(t *testing.T) {
	var served [3]atomic.Int64
	all := replicas(t, 3, func(i int) error { served[i].Add(1); return nil })
	client := dialAll(t, "", all)
	eventually(t, "all three are connected", func() bool {
		for range 3 {
			_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		}
		return served[0].Load() > 0 && served[1].Load() > 0 && served[2].Load() > 0
	})
	for i := range served {
		served[i].Store(0)
	}
	for range 30 {
		_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		must(t, err)
	}
	for i := range served {
		if got := served[i].Load(); got != 10 {
			t.Errorf("replica %d served %d of 30 calls", i, got)
		}
	}
}

// One replica hangs. With round robin, a third of the calls would hang too. With least request, it gets few calls once some hang.
func TestDial_LeastRequest(t *testing.T) {
	release := make(chan struct{})
	var hangs atomic.Bool
	var hung, served atomic.Int64
	var warmed [3]atomic.Bool
	all := replicas(t, 3, func(i int) error {
		if warmed[i].Store(true); !hangs.Load() {
			return nil
		}
		if i == 0 {
			hung.Add(1)
			<-release
			return nil
		}
		served.Add(1)
		return nil
	})
	defer close(release)
	client := dialAll(t, "connections: [{leastRequest: true}]", all)
	eventually(t, "all three are connected", func() bool {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return warmed[0].Load() && warmed[1].Load() && warmed[2].Load()
	})
	hangs.Store(true)
	var calls sync.WaitGroup
	defer calls.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for n := range int64(300) {
		calls.Go(func() { _, _ = client.UnaryCall(ctx, &testv1.SimpleRequest{}) })
		eventually(t, "the call has arrived", func() bool { return served.Load()+hung.Load() > n })
	}
	if hung.Load() > 20 {
		t.Errorf("%d of 300 calls went to the replica that hangs", hung.Load())
	}
}

func TestServiceConfig_JSON(t *testing.T) {
	p := policyOf(t, `
client:
- method: a.B/*
  retry: {idempotent: true, maxAttempts: 4, initialBackoff: 10ms, maxBackoff: 1.5s, multiplier: 3, codes: [ABORTED]}
- method: a.B/D
  retry: {maxAttempts: 1}
connections:
- leastRequest: true
  retryBudget: {maxTokens: 7, tokenRatio: 0.5}
`).Rules()
	got := serviceConfigFor(p, "x", []string{"a.B/C", "a.B/D", "a.B/E", "x.Y/Z"})
	want := `{"loadBalancingConfig":[{"sandbox_least_request":{"choiceCount":4}}],"methodConfig":[{"name":[{"service":"a.B","method":"C"},{"service":"a.B","method":"E"}],` +
		`"retryPolicy":{"maxAttempts":4,"initialBackoff":"0.010000000s","maxBackoff":"1.500000000s","backoffMultiplier":3,"retryableStatusCodes":["ABORTED"]}}],` +
		`"retryThrottling":{"maxTokens":7,"tokenRatio":0.5},"healthCheckConfig":{"serviceName":""}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if plain := serviceConfigFor((*policy.Policy)(nil).Rules(), "x", linkedMethods().streams); !strings.Contains(plain, "sandbox_round_robin") || strings.Contains(plain, "retry") {
		t.Error("without a policy:", plain)
	}
}
