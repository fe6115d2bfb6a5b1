package governance

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// called starts a server with certificates, and returns a connection of grpc-go from a caller.
func called(t *testing.T, caller string, service fake, cfg ServerConfig) *grpc.ClientConn {
	t.Helper()
	ca := newAuthority(t)
	cfg.Identity, _ = identity(t, ca.issue(serverDNS, users), nil)
	s := Server(cfg)
	testv1.RegisterTestServiceServer(s, service)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	client, _ := identity(t, ca.issue("client.shop.svc", caller), nil)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(client.ClientTLS(serverDNS))))
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		must(t, <-served)
	})
	return conn
}

// headersOnly opens a unary call without sending its message, waits for the answer, and cancels the call if there is none.
func headersOnly(t *testing.T, conn *grpc.ClientConn, method string, limit, wait time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/"+method)
	must(t, err)
	defer time.AfterFunc(wait, cancel).Stop()
	return stream.RecvMsg(&testv1.SimpleResponse{})
}

func TestOnHeaders_CallersList(t *testing.T) {
	const list = "server: [{method: 'grpc.testing.TestService/*', callers: {allow: ['" + orders + "']}}]"
	const all = "server: [{callers: {allow: ['" + orders + "']}}]"
	for _, c := range []struct {
		sentence, caller, policy, method string
		deadline                         time.Duration
		want                             codes.Code
	}{
		{"a caller that is not on the list is refused", visitor, list, unaryMethod, 0, codes.PermissionDenied},
		{"so is one with a deadline", visitor, list, unaryMethod, 5 * time.Second, codes.PermissionDenied},
		{"a call with a long deadline waits for its message", visitor, list, unaryMethod, time.Hour, codes.Canceled},
		{"a caller on the list may send its message", orders, list, unaryMethod, 0, codes.Canceled},
		{"a list for other methods does not apply", visitor, "server: [{method: 'a.B/*', callers: {allow: []}}]", unaryMethod, 0, codes.Canceled},
		{"without a list nobody is refused", visitor, "", unaryMethod, 0, codes.Canceled},
		{"a caller that may call nothing does not learn which methods exist", visitor, all, "x.Y/Invented", 0, codes.PermissionDenied},
		{"nor by a name that is longer than an error may be", visitor, all, "x.Y/" + strings.Repeat("z", 12<<10), 0, codes.PermissionDenied},
		{"health is exempt", visitor, all, "grpc.health.v1.Health/Check", 0, codes.Canceled},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			metrics, spans := NewMetrics(), tracetest.NewSpanRecorder()
			var log bytes.Buffer
			conn := called(t, c.caller, fake{}, ServerConfig{Policy: policyOf(t, c.policy), Metrics: metrics, Log: NewLog(&log, nil),
				Tracing: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))})
			wait := 5 * time.Second
			if c.want == codes.Canceled {
				wait = 100 * time.Millisecond
			}
			err := headersOnly(t, conn, c.method, c.deadline, wait)
			if status.Code(err) != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if c.want != codes.PermissionDenied {
				return
			}
			if refusal.Reason(err) != refusal.ReasonCallerNotAllowed || len(err.Error()) > maxStatus {
				t.Errorf("the reason is %s, in an error of %d bytes", refusal.Reason(err), len(err.Error()))
			}
			for name, labels := range map[string][]string{
				"grpc_server_started_total": nil, "grpc_server_handled_total": {"grpc_code", "PermissionDenied"},
				"sandbox_refused_total": {"reason", refusal.ReasonCallerNotAllowed},
			} {
				if got := metric(t, metrics, name, labels...); got != 1 {
					t.Errorf("%s is %v, want 1", name, got)
				}
			}
			if ended := spans.Ended(); len(ended) != 1 || len(ended[0].Events()) != 1 {
				t.Errorf("the spans are %v", ended)
			}
			if !strings.Contains(log.String(), `"caller":"`+visitor+`"`) {
				t.Error("the log is", log.String())
			}
		})
	}
}

// A call that was not refused on its headers is refused, or served, in the interceptor.
func TestOnHeaders_ThenInterceptor(t *testing.T) {
	const list = "server: [{callers: {allow: ['" + orders + "']}}]"
	for caller, want := range map[string]codes.Code{orders: codes.OK, visitor: codes.PermissionDenied} {
		metrics, seen := NewMetrics(), ""
		conn := called(t, caller, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			seen = Caller(ctx)
			return &testv1.SimpleResponse{}, nil
		}}, ServerConfig{Policy: policyOf(t, list), Metrics: metrics, Log: quiet})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := testv1.NewTestServiceClient(conn).UnaryCall(ctx, &testv1.SimpleRequest{})
		if status.Code(err) != want {
			t.Errorf("%s: %v", caller, err)
		}
		if want == codes.OK && seen != caller {
			t.Errorf("the handler sees the caller %q, want %q", seen, caller)
		}
		if got := metric(t, metrics, "grpc_server_handled_total"); got != 1 {
			t.Errorf("%s: %v calls are counted, want 1", caller, got)
		}
	}
}

func TestTap_OfTheProgram(t *testing.T) {
	var tapped []string
	note := func(ctx context.Context, info *tap.Info) (context.Context, error) {
		tapped = append(tapped, info.FullMethodName)
		if info.Header.Get("x-tenant") == nil {
			return ctx, status.Error(codes.Unauthenticated, "no tenant")
		}
		return ctx, nil
	}
	const list = "server: [{method: '*/UnaryCall', callers: {allow: ['" + orders + "']}}]"
	conn := called(t, visitor, fake{}, ServerConfig{Policy: policyOf(t, list), Log: quiet, Tap: note})
	if err := headersOnly(t, conn, unaryMethod, 0, 5*time.Second); status.Code(err) != codes.PermissionDenied || len(tapped) > 0 {
		t.Errorf("a refused caller: %v; the program saw %v", err, tapped)
	}
	if err := headersOnly(t, conn, streamMethod, 0, 5*time.Second); status.Code(err) != codes.Unauthenticated || len(tapped) != 1 {
		t.Errorf("a call that the program refuses: %v; it saw %v", err, tapped)
	}
}

// gRPC permits one tap. The error is that of gRPC, when the server is made.
func TestTap_AmongTheOptions(t *testing.T) {
	ca := newAuthority(t)
	id, _ := identity(t, ca.issue(serverDNS, users), nil)
	option := grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, nil })
	for _, c := range []struct {
		sentence string
		id       *Identity
		panics   bool
	}{{"with certificates", id, true}, {"in plaintext", nil, false}} {
		func() {
			defer func() {
				if got := recover(); (got != nil) != c.panics {
					t.Errorf("%s: %v", c.sentence, got)
				}
			}()
			Server(ServerConfig{Identity: c.id, Log: quiet, Options: []grpc.ServerOption{option}}).Stop()
		}()
	}
}
