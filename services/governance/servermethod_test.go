package governance

import (
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// proxied starts a server with one registered service and a handler for all other methods, as a proxy has.
func proxied(t *testing.T, text string) (conn *grpc.ClientConn, governed *server) {
	t.Helper()
	s, governed := governedServer(ServerConfig{Log: quiet, Policy: policyOf(t, text), Options: []grpc.ServerOption{
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.NotFound, "no such thing") })}})
	testv1.RegisterTestServiceServer(s, fake{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err = grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		must(t, <-served)
	})
	return conn, governed
}

// A client can invent names of methods. They must not cost memory.
func TestServer_InventedMethods(t *testing.T) {
	conn, governed := proxied(t, "server: [{rate: {limits: [{tokenBucket: {rate: 0.001, burst: 400}}]}}, {method: '*/Secret*', bulkhead: {maxConcurrent: 5}}]")
	codesOf := map[codes.Code]int{}
	for i := range 500 {
		codesOf[status.Code(conn.Invoke(t.Context(), fmt.Sprintf("/x.Y/M%d", i), &testv1.Empty{}, &testv1.Empty{}))]++
	}
	// A registered service has no such method.
	for _, method := range []string{"/grpc.testing.TestService/Invented", "/x.Y/Secret", "/x.Y/Secret2"} {
		_ = conn.Invoke(t.Context(), method, &testv1.Empty{}, &testv1.Empty{})
	}
	_, err := testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	if codesOf[codes.NotFound] != 400 || codesOf[codes.ResourceExhausted] != 100 {
		t.Errorf("%v, want 400 calls within one common limit", codesOf)
	}
	if known, unknown := len(governed.methods.All()), len(governed.unknown.All()); known != 1 || unknown != 2 {
		t.Errorf("%d registered methods and %d groups of others are remembered, want 1 and 2", known, unknown)
	}
	metrics := governed.cfg.Metrics
	if got := metric(t, metrics, "grpc_server_started_total", "grpc_service", "unknown", "grpc_method", "unknown"); got != 503 {
		t.Errorf("%v calls of unknown methods are counted, want 503", got)
	}
	if got := metric(t, metrics, "sandbox_refused_total", "method", unknownMethod); got != 101 {
		t.Errorf("%v refusals are counted, want 101", got)
	}
	if n := len(allSeries(t, metrics, "grpc_server_started_total")); n != 2 {
		t.Errorf("%d series, want one for the registered method and one for all others", n)
	}
}

// What applies to a method that is not registered depends on its own name, although it shares metrics and limits with others.
func TestServer_RulesOfInventedMethods(t *testing.T) {
	conn, governed := proxied(t, "server: [{method: 'pay.v1.Pay/*', callers: {allow: [nobody]}}]\nserverFaults: [{method: 'x.Y/Broken', abort: {code: ABORTED}}]")
	check := func(want map[string]codes.Code) {
		t.Helper()
		for range 2 {
			for method, code := range want {
				if got := status.Code(conn.Invoke(t.Context(), "/"+method, &testv1.Empty{}, &testv1.Empty{})); got != code {
					t.Errorf("%s: %s, want %s", method, got, code)
				}
			}
		}
	}
	check(map[string]codes.Code{"pay.v1.Pay/A": codes.PermissionDenied, "pay.v1.Pay/B": codes.PermissionDenied, "x.Y/Z": codes.NotFound, "x.Y/Broken": codes.Aborted})
	// With the same number of rules, the groups have the same keys.
	change(t, governed.cfg.Policy, "server: [{method: 'x.Y/*', callers: {allow: [nobody]}}]\nserverFaults: [{method: 'pay.v1.Pay/B', abort: {code: ABORTED}}]")
	check(map[string]codes.Code{"pay.v1.Pay/A": codes.NotFound, "pay.v1.Pay/B": codes.Aborted, "x.Y/Z": codes.PermissionDenied, "x.Y/Broken": codes.PermissionDenied})
}
