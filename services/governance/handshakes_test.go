package governance

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/credentials"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
)

// TestHandshakes_RefusalIsLoggedByTheServer matters because the client only sees that the connection ended.
func TestHandshakes_RefusalIsLoggedByTheServer(t *testing.T) {
	ca := newAuthority(t)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	stranger, _ := identity(t, newAuthority(t).issue(serverDNS), nil)
	for _, c := range []struct {
		sentence string
		call     func(net.Conn)
		// says and reason are empty if nothing was refused.
		says, reason string
	}{
		{"a certificate of another authority", func(conn net.Conn) {
			foreign := stranger.ClientTLS(serverDNS)
			// The client would trust us.
			foreign.VerifyConnection = nil
			if over := tls.Client(conn, foreign); over.HandshakeContext(t.Context()) == nil {
				_, _ = over.Read(make([]byte, 1))
			}
		}, "unknown authority", "certificate"},
		{"plaintext", func(conn net.Conn) { _, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") }, "does not look like a TLS handshake", "other"},
		{"a client that only checks whether the port is open", func(net.Conn) {}, "", ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var log bytes.Buffer
			metrics := NewMetrics()
			guarded := serverHandshakes(credentials.NewTLS(server.ServerTLS()), metrics, slog.New(slog.NewJSONHandler(&log, nil))).Clone()
			theirs, ours := tcpPair(t)
			go func() { c.call(theirs); theirs.Close() }()
			if _, _, err := guarded.ServerHandshake(ours); err == nil {
				t.Fatal("the handshake succeeded")
			}
			if c.reason != "" && metric(t, metrics, "sandbox_handshakes_refused_total", "side", "server", "reason", c.reason) != 1 {
				t.Errorf("no refusal is counted for the reason %s", c.reason)
			}
			if c.says == "" {
				if log.Len() != 0 {
					t.Errorf("a refusal was logged: %s", log.String())
				}
			} else if !strings.Contains(log.String(), "refused a connection") || !strings.Contains(log.String(), c.says) {
				t.Errorf("log: %q", log.String())
			}
		})
	}
}

// TestHandshakes_RefusalIsCountedByTheClient checks the reason of a certificate for another name.
func TestHandshakes_RefusalIsCountedByTheClient(t *testing.T) {
	ca := newAuthority(t)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	metrics := NewMetrics()
	stub := wire(t, fake{}, ServerConfig{Identity: server}, ClientConfig{Identity: client, ServerName: "orderservice.shop.svc", Metrics: metrics})
	if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err == nil {
		t.Error("a call succeeded")
	}
	if got := metric(t, metrics, "sandbox_handshakes_refused_total", "side", "client", "reason", "certificate"); got < 1 {
		t.Errorf("%v refused handshakes are counted", got)
	}
}

func tcpPair(t *testing.T) (theirs, ours net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	ours, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { err = errors.Join(theirs.Close(), ours.Close()) })
	return theirs, ours
}

// handshake returns the server's error for a client.
func handshake(t *testing.T, server *Identity, client *tls.Config) error {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	verdict := make(chan error, 1)
	go func() {
		verdict <- tls.Server(far, server.ServerTLS()).Handshake()
		far.Close()
	}()
	c := tls.Client(near, client)
	// In TLS 1.3 the client is done before the server has checked its certificate.
	_ = c.Handshake()
	_, _ = c.Read(make([]byte, 1))
	return <-verdict
}
