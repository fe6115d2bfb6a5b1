package governance

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// running starts a program on free ports, in plaintext unless change sets a folder.
func running(t *testing.T, service fake, change func(*Config)) (at Addresses, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	return program(t, change, func(_ *Process, s *grpc.Server) error {
		testv1.RegisterTestServiceServer(s, service)
		return nil
	})
}

func program(t *testing.T, change func(*Config), register func(*Process, *grpc.Server) error) (at Addresses, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	return logged(t, io.Discard, change, register)
}

// logged is program with a log, which may be read when the program has ended.
func logged(t *testing.T, log io.Writer, change func(*Config), register func(*Process, *grpc.Server) error) (at Addresses, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan Addresses, 1), make(chan error, 1)
	cfg := Config{Service: "test", Pod: "test-0", ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
		TLSDir: "off", TraceRatio: 1, DrainDelay: 300 * time.Millisecond, DrainLimit: 5 * time.Second, Ready: func(a Addresses) { ready <- a }}
	if change != nil {
		change(&cfg)
	}
	go func() { done <- Run(ctx, log, cfg, register) }()
	t.Cleanup(cancel)
	select {
	case at = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	return at, cancel, done
}

func plain(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestDrain_CallsInFlight(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	at, stop, ended := running(t, fake{unary: func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		if req.GetFillUsername() {
			close(entered)
			<-release
		}
		return &testv1.SimpleResponse{}, nil
	}}, nil)
	probe := healthv1.NewHealthClient(plain(t, at.Health))
	conn := plain(t, at.Service)
	stub := testv1.NewTestServiceClient(conn)
	health := func(service string) healthv1.HealthCheckResponse_ServingStatus {
		answer, err := probe.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil {
			t.Errorf("checking %q: %v", service, err)
		}
		return answer.GetStatus()
	}
	for _, service := range []string{"", "grpc.testing.TestService"} {
		if got := health(service); got != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q is %s", service, got)
		}
	}
	slow := make(chan error, 1)
	go func() {
		_, err := stub.UnaryCall(context.Background(), &testv1.SimpleRequest{FillUsername: true})
		slow <- err
	}()
	<-entered
	stopped := time.Now()
	stop()
	eventually(t, "health reports NOT_SERVING", func() bool { return health("") == healthv1.HealthCheckResponse_NOT_SERVING })
	if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil && time.Since(stopped) < 250*time.Millisecond {
		t.Error("a new call within the drain delay failed:", err)
	}
	eventually(t, "GOAWAY is received while the slow call continues", func() bool { return conn.GetState() != connectivity.Ready })
	close(release)
	if err := <-slow; err != nil {
		t.Error("the call in flight failed:", err)
	}
	if err := <-ended; err != nil {
		t.Error("Run returned", err)
	}
	if took := time.Since(stopped); took < 300*time.Millisecond {
		t.Errorf("the program ended after %s, before the drain delay", took)
	}
}

// A handler that returns when its context ends is waited for. One that ignores it, such as a call of C code or of a driver without contexts, is
// not.
func TestDrain_Limit(t *testing.T) {
	for _, c := range []struct {
		sentence string
		ignores  bool
		least    time.Duration
		log      string
	}{
		{"a cancelled handler returns", false, 100 * time.Millisecond, ""},
		{"a handler that ignores its context is left behind", true, 100*time.Millisecond + cancelGrace, unaryMethod + " (1)"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			entered, release := make(chan struct{}), make(chan struct{})
			var log bytes.Buffer
			at, stop, ended := logged(t, &log, func(c *Config) { c.DrainDelay, c.DrainLimit = Off, 100*time.Millisecond }, func(_ *Process, s *grpc.Server) error {
				testv1.RegisterTestServiceServer(s, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
					close(entered)
					if !c.ignores {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					<-release
					return &testv1.SimpleResponse{}, nil
				}})
				return nil
			})
			defer close(release)
			stub := testv1.NewTestServiceClient(plain(t, at.Service))
			slow := make(chan error, 1)
			go func() {
				_, err := stub.UnaryCall(context.Background(), &testv1.SimpleRequest{})
				slow <- err
			}()
			<-entered
			stopped := time.Now()
			stop()
			select {
			case err := <-ended:
				must(t, err)
			case <-time.After(5 * time.Second):
				t.Fatal("Run waits for a call that never ends")
			}
			if took := time.Since(stopped); took < c.least {
				t.Errorf("Run ended after %s, want at least %s", took, c.least)
			}
			if err := <-slow; status.Code(err) != codes.Unavailable {
				t.Error("the endless call:", err)
			}
			if got := strings.Contains(log.String(), "handlers ignore"); got != c.ignores || !strings.Contains(log.String(), c.log) {
				t.Error("the log is", log.String())
			}
		})
	}
}

func TestRun_NoTraceCollector(t *testing.T) {
	at, stop, ended := running(t, fake{}, func(c *Config) { c.OTLPEndpoint, c.DrainDelay = "http://127.0.0.1:1", Off })
	stub := testv1.NewTestServiceClient(plain(t, at.Service))
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := stub.UnaryCall(ctx, &testv1.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	stop()
	start := time.Now()
	if err := <-ended; err != nil || time.Since(start) > 4*time.Second {
		t.Errorf("ended after %s with %v", time.Since(start), err)
	}
}

func TestRun_MetricsHaveExemplars(t *testing.T) {
	at, stop, ended := running(t, fake{}, func(c *Config) { c.DrainDelay = Off })
	stub := testv1.NewTestServiceClient(plain(t, at.Service))
	if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at.Metrics+"/metrics", nil)
	must(t, err)
	req.Header.Set("Accept", "application/openmetrics-text")
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	must(t, err)
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	must(t, answer.Body.Close())
	var found bool
	for line := range strings.Lines(string(body)) {
		found = found || strings.HasPrefix(line, "grpc_server_handling_seconds_bucket") && strings.Contains(line, `# {trace_id="`)
	}
	if !found {
		t.Error("no bucket has an exemplar")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRun_NoCertificate(t *testing.T) {
	cfg := Config{Service: "test", TLSDir: t.TempDir()}
	err := Run(t.Context(), io.Discard, cfg, nil)
	if err == nil || !strings.Contains(remedy.Line(err, nil), "try: mount") {
		t.Errorf("got %v", err)
	}
}

func TestRun_MutualTLSAndPlaintextHealth(t *testing.T) {
	ca := newAuthority(t)
	_, dir := identity(t, ca.issue(serverDNS), nil)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	at, stop, ended := running(t, fake{}, func(c *Config) { c.TLSDir, c.DrainDelay = dir, Off })
	conn, err := Dial(at.Service, ClientConfig{Callee: "test", ServerName: serverDNS, Identity: client, Log: quiet})
	must(t, err)
	if _, err := testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Error("with a certificate:", err)
	}
	must(t, conn.Close())
	if _, err := testv1.NewTestServiceClient(plain(t, at.Service)).UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.Unavailable {
		t.Error("in plaintext:", err)
	}
	probe := plain(t, at.Health)
	if answer, err := healthv1.NewHealthClient(probe).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Error("health:", answer, err)
	}
	if _, err := testv1.NewTestServiceClient(probe).UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.Unimplemented {
		t.Error("the health port serves more than health:", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRun_StoppedAtItsStart: the program is asked to stop before its servers serve.
func TestRun_StoppedAtItsStart(t *testing.T) {
	for range 20 {
		ctx, stop := context.WithCancel(t.Context())
		cfg := Config{Service: "early", TLSDir: "off", ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0", DrainLimit: time.Second}
		err := Run(ctx, io.Discard, cfg, func(*Process, *grpc.Server) error {
			stop()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
