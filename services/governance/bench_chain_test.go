package governance

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"
)

// benchClient connects client and server in memory.
func benchClient(b testing.TB, s *grpc.Server, dial func(...grpc.DialOption) (*grpc.ClientConn, error)) testv1.TestServiceClient {
	b.Helper()
	pipe := bufconn.Listen(1 << 20)
	testv1.RegisterTestServiceServer(s, echo)
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	conn, err := dial(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		<-served //nolint:errcheck // the server was stopped
	})
	return testv1.NewTestServiceClient(conn)
}

// chain is one way to connect a client and a server.
type chain struct {
	name string
	join func(testing.TB) testv1.TestServiceClient
	// optional means that the limits do not apply: the price is that of something that a policy or a program asks for.
	optional bool
}

// chains lists the ways. The others are compared with the first.
func chains() []chain {
	return []chain{
		{name: "bare grpc-go", join: func(b testing.TB) testv1.TestServiceClient { return bareClient(b) }},
		{name: "bare grpc-go with as many stream workers as governed", join: func(b testing.TB) testv1.TestServiceClient { return bareClient(b, grpc.NumStreamWorkers(workers())) }, optional: true},
		{name: "governed, without tracing", join: func(b testing.TB) testv1.TestServiceClient { return governedClient(b, "", nil) }},
		{name: "governed, trace not sampled", join: unsampled("")},
		{name: "governed, every part of the policy but time limits of attempts and hedging", join: unsampled(everyPart)},
		{name: "governed, a retry", join: unsampled("client: [{retry: {idempotent: true, maxAttempts: 3}}]")},
		{name: "governed, a retry with perTryTimeout", join: unsampled("client: [{retry: {idempotent: true, maxAttempts: 3, perTryTimeout: 10s}}]"), optional: true},
		{name: "governed, hedging", join: unsampled("client: [{hedge: {idempotent: true, delay: 10s}}]"), optional: true},
		{name: "governed, an ejection in shadow mode", join: unsampled("connections: [{outlierEjection: {shadow: true}}]"), optional: true},
		{name: "governed, every call traced", join: func(b testing.TB) testv1.TestServiceClient {
			return governedClient(b, "", sdktrace.NewTracerProvider())
		}, optional: true},
	}
}

// bareClient has the same windows as ours. Otherwise our numbers would look better than they are.
func bareClient(b testing.TB, options ...grpc.ServerOption) testv1.TestServiceClient {
	window, conn := grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(1<<20)
	s := grpc.NewServer(append(options, grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(1<<20))...)
	return benchClient(b, s, func(o ...grpc.DialOption) (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///pipe", append(o, window, conn, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	})
}

// unsampled governs the calls by a policy. They are not traced, but could be.
func unsampled(text string) func(testing.TB) testv1.TestServiceClient {
	return func(b testing.TB) testv1.TestServiceClient {
		return governedClient(b, text, sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())))
	}
}

// everyPart uses every part of a policy that each call pays for, and refuses nothing.
const everyPart = `
server:
- bulkhead: {maxConcurrent: 1000}
  rate: {limits: [{tokenBucket: {rate: 1e8, burst: 100000}}]}
  priority: high
client:
- retry: {idempotent: true, maxAttempts: 3}
  breaker: {slowCallRatio: 0.5, slowCallDuration: 500ms}
  throttle: {}
  classify: {failures: [NOT_FOUND]}
connections:
- slowStart: {window: 10s}
shed: {minLimit: 100, initialLimit: 100}
`

func governedClient(b testing.TB, text string, tracing trace.TracerProvider) testv1.TestServiceClient {
	metrics, p := NewMetrics(), policyOf(b, text)
	return benchClient(b, Server(ServerConfig{Pod: "pod-0", Metrics: metrics, Log: quiet, Policy: p, Tracing: tracing}), func(o ...grpc.DialOption) (*grpc.ClientConn, error) {
		return Dial("passthrough:///pipe", ClientConfig{Callee: "callee", Metrics: metrics, Log: quiet, Policy: p, Tracing: tracing,
			Breakers: NewBreakers("c", BreakerConfig{}, metrics, nil), Options: o})
	})
}

func (c chain) unary(b *testing.B) {
	client := c.join(b)
	b.ReportAllocs()
	for b.Loop() {
		callOnce(b, client)
	}
}

func callOnce(b testing.TB, client testv1.TestServiceClient) {
	// Every caller in production has a deadline.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := client.UnaryCall(ctx, &testv1.SimpleRequest{}); err != nil {
		b.Fatal(err)
	}
}

// unaryInTurn returns the median duration of a unary call of each chain. All are connected at the same time and called in turn, a few calls each, so that
// whatever disturbs or slows the machine affects all of them.
func unaryInTurn(t testing.TB, chains []chain, turns, calls int) []time.Duration {
	clients, took := make([]testv1.TestServiceClient, len(chains)), make([][]time.Duration, len(chains))
	for i, c := range chains {
		clients[i] = c.join(t)
	}
	for range turns {
		for i, client := range clients {
			started := time.Now()
			for range calls {
				callOnce(t, client)
			}
			took[i] = append(took[i], time.Since(started)/time.Duration(calls))
		}
	}
	medians := make([]time.Duration, len(chains))
	for i := range took {
		slices.Sort(took[i])
		medians[i] = took[i][len(took[i])/2]
	}
	return medians
}

// message measures one message in each direction.
func (c chain) message(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := c.join(b).FullDuplexCall(ctx)
	if err != nil {
		b.Fatal(err)
	}
	msg := &testv1.StreamingOutputCallRequest{}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Send(msg); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.CloseSend()
}

func BenchmarkUnary(b *testing.B) {
	for _, c := range chains() {
		b.Run(c.name, c.unary)
	}
}

func BenchmarkStreamMessage(b *testing.B) {
	for _, c := range chains() {
		b.Run(c.name, c.message)
	}
}
