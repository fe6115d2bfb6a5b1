package governance

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a service whose answers a test chooses.
type fake struct {
	testv1.UnimplementedTestServiceServer
	unary  func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error)
	stream func(grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error
}

func (f fake) UnaryCall(ctx context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	if f.unary == nil {
		return &testv1.SimpleResponse{}, nil
	}
	return f.unary(ctx, req)
}

func (f fake) FullDuplexCall(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
	return f.stream(s)
}

const (
	unaryMethod  = "grpc.testing.TestService/UnaryCall"
	streamMethod = "grpc.testing.TestService/FullDuplexCall"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// wire connects a server and a client in memory. Both end with the test.
func wire(t *testing.T, service fake, server ServerConfig, client ClientConfig) testv1.TestServiceClient {
	t.Helper()
	server.Log, client.Log = quiet, quiet
	return wireWith(t, service, server, client)
}

// wireWith is wire with logs that the test chooses.
func wireWith(t *testing.T, service testv1.TestServiceServer, server ServerConfig, client ClientConfig) testv1.TestServiceClient {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	s := Server(server)
	testv1.RegisterTestServiceServer(s, service)
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	if client.Callee == "" {
		client.Callee = "callee"
	}
	client.Options = append(client.Options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return pipe.DialContext(ctx)
	}))
	conn, err := Dial("passthrough:///pipe", client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		if err := <-served; err != nil {
			t.Error("serving:", err)
		}
	})
	return testv1.NewTestServiceClient(conn)
}

// metric returns the sum of the series of a metric with all these labels, given as name, value, name, value and so on. For a histogram it
// returns the number of observations.
func metric(t *testing.T, m *Metrics, name string, labels ...string) float64 {
	t.Helper()
	var sum float64
	for _, series := range allSeries(t, m, name, labels...) {
		sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
	}
	return sum
}

func allSeries(t *testing.T, m *Metrics, name string, labels ...string) (found []*dto.Metric) {
	t.Helper()
	families, err := m.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, series := range f.GetMetric() {
			if f.GetName() == name && carries(series, labels) {
				found = append(found, series)
			}
		}
	}
	return found
}

func carries(series *dto.Metric, labels []string) bool {
	has := map[string]string{}
	for _, l := range series.GetLabel() {
		has[l.GetName()] = l.GetValue()
	}
	for i := 0; i < len(labels); i += 2 {
		if has[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}

// eventually waits until holds returns true, and fails the test after ten seconds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !pollFor(10*time.Second, holds) {
		t.Fatal("not within ten seconds:", what)
	}
}

// pollFor calls holds until it returns true or the time has passed, and reports which.
func pollFor(d time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return pause.Until(ctx, time.Millisecond, func(context.Context) (bool, error) { return holds(), nil }) == nil || holds()
}

// policyOf parses a policy in YAML and puts it in force.
func policyOf(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.New(parsed(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsed(t testing.TB, text string) *policyv1.EffectivePolicy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// change puts another policy in force.
func change(t testing.TB, p *policy.Policy, text string) {
	t.Helper()
	if err := p.Set(parsed(t, text)); err != nil {
		t.Fatal(err)
	}
}
