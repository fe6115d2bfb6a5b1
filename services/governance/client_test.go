package governance

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestDial_TargetWithoutHost(t *testing.T) {
	ca := newAuthority(t)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	_, port, err := net.SplitHostPort(tcp(t, fake{}, ServerConfig{Identity: server}))
	must(t, err)
	for _, target := range []string{":" + port, "passthrough:///:" + port, "dns:///:" + port, "unix:///run/x.sock", "unix:x.sock", "unix-abstract:x"} {
		if _, err := Dial(target, ClientConfig{Callee: "x", Identity: client, Log: quiet}); err == nil || !strings.Contains(remedy.Line(err, nil), "try: set ServerName") {
			t.Errorf("%s with an identity: got %v", target, err)
		}
		for _, c := range []ClientConfig{{Callee: "x", Log: quiet}, {Callee: "x", Log: quiet, Identity: client, ServerName: serverDNS}} {
			conn, err := Dial(target, c)
			must(t, err)
			_ = conn.Close()
		}
	}
	conn, err := Dial(":"+port, ClientConfig{Callee: "x", Identity: client, ServerName: serverDNS, Log: quiet})
	must(t, err)
	defer conn.Close()
	if _, err := testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Error("with a server name:", err)
	}
}

func TestDial_ServerIdentity(t *testing.T) {
	ca := newAuthority(t)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	for _, c := range []struct {
		sentence string
		ids      []string
		want     string
		code     codes.Code
	}{
		{"the server has the identity", []string{users}, users, codes.OK},
		{"the server has an identity that the pattern matches", []string{users}, "spiffe://sandbox.local/ns/shop/sa/*", codes.OK},
		{"without a required identity the name is enough", []string{users}, "", codes.OK},
		{"the server has another identity", []string{orders}, users, codes.Unavailable},
		{"the server has the identity in another namespace", []string{visitor}, "spiffe://sandbox.local/ns/shop/sa/*", codes.Unavailable},
		{"the server has no identity", nil, "spiffe://*", codes.Unavailable},
		{"the server has two identities", []string{users, orders}, users, codes.Unavailable},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			server, _ := identity(t, ca.issue(serverDNS, c.ids...), nil)
			stub := wire(t, fake{}, ServerConfig{Identity: server}, ClientConfig{Identity: client, ServerName: serverDNS, ServerIdentity: c.want})
			if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
	for pattern, id := range map[string]*Identity{serverDNS: client, "spiffe://[": client, users: nil} {
		if _, err := Dial("x:1", ClientConfig{Callee: "x", Identity: id, ServerIdentity: pattern}); err == nil || !strings.Contains(remedy.Line(err, nil), "try: ") {
			t.Errorf("%s: got %v", pattern, err)
		}
	}
}

// TestDial_RacesWithOtherConnections fails under the race detector if Dial changes the settings of connections that it did not make.
func TestDial_RacesWithOtherConnections(t *testing.T) {
	conn, err := grpc.NewClient("dns:///localhost:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	conn.Connect()
	// By the time a connection has failed, the resolver has read its settings.
	eventually(t, "no connection", func() bool { return conn.GetState() == connectivity.TransientFailure })
	ours, err := Dial("dns:///localhost:2", ClientConfig{Callee: "x", Log: quiet})
	must(t, err)
	must(t, ours.Close())
}

func TestDial_LooksUpNames(t *testing.T) {
	_, port, err := net.SplitHostPort(tcp(t, fake{}, ServerConfig{}))
	must(t, err)
	for _, target := range []string{"localhost:" + port, "dns:///localhost:" + port, ":" + port, "127.0.0.1:" + port} {
		conn, err := Dial(target, ClientConfig{Callee: "x", Log: quiet})
		must(t, err)
		if _, err := testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		must(t, conn.Close())
	}
}

// TestDeadline_None checks what the other side sees: with none on the client no deadline arrives, and with none on the server the handler has
// none either.
func TestDeadline_None(t *testing.T) {
	for _, c := range []struct {
		sentence, server, client string
		unary, stream            bool
	}{
		{"the defaults", "", "", true, true},
		{"none on the client alone", "", "client: [{deadline: {none: true, streamNone: true}}]", true, true},
		{"none on the server alone", "server: [{deadline: {none: true, streamNone: true}}]", "", true, true},
		{"none on both sides", "server: [{deadline: {none: true, streamNone: true}}]", "client: [{deadline: {none: true, streamNone: true}}]", false, false},
		{"none for unary calls", "server: [{deadline: {none: true}}]", "client: [{deadline: {none: true}}]", false, true},
		{"none for streams", "server: [{deadline: {streamNone: true}}]", "client: [{deadline: {streamNone: true}}]", true, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			seen := make(chan bool, 1)
			note := func(ctx context.Context) { _, has := ctx.Deadline(); seen <- has }
			client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				note(ctx)
				return &testv1.SimpleResponse{}, nil
			}, stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
				note(s.Context())
				return nil
			}}, ServerConfig{Policy: policyOf(t, c.server)}, ClientConfig{Policy: policyOf(t, c.client)})
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			must(t, err)
			if has := <-seen; has != c.unary {
				t.Errorf("unary: the handler has a deadline: %v", has)
			}
			stream, err := client.FullDuplexCall(t.Context())
			must(t, err)
			_, _ = stream.Recv()
			if has := <-seen; has != c.stream {
				t.Errorf("streaming: the handler has a deadline: %v", has)
			}
		})
	}
}
