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
)

// TestARefusedConnectionIsToldOnTheSideThatRefuses: the caller hears only that it ended.
func TestARefusedConnectionIsToldOnTheSideThatRefuses(t *testing.T) {
	ca := newAuthority(t)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	stranger, _ := identity(t, newAuthority(t).issue(serverDNS), nil)
	for _, c := range []struct {
		sentence string
		call     func(net.Conn)
		says     string // nothing: it is no refusal
	}{
		{"a certificate of another authority", func(conn net.Conn) {
			foreign := stranger.ClientTLS(serverDNS)
			foreign.VerifyConnection = nil // it would trust us
			if over := tls.Client(conn, foreign); over.HandshakeContext(t.Context()) == nil {
				_, _ = over.Read(make([]byte, 1))
			}
		}, "unknown authority"},
		{"plaintext", func(conn net.Conn) { _, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") }, "does not look like a TLS handshake"},
		{"who only looks whether the port is open", func(net.Conn) {}, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var log bytes.Buffer
			guarded := newHandshakes(credentials.NewTLS(server.ServerTLS()), slog.New(slog.NewJSONHandler(&log, nil))).Clone()
			theirs, ours := tcpPair(t)
			go func() { c.call(theirs); theirs.Close() }()
			if _, _, err := guarded.ServerHandshake(ours); err == nil {
				t.Fatal("it was let in")
			}
			if c.says == "" {
				if log.Len() != 0 {
					t.Errorf("it is told as refused: %s", log.String())
				}
			} else if !strings.Contains(log.String(), "refused a connection") || !strings.Contains(log.String(), c.says) {
				t.Errorf("the log has %q", log.String())
			}
		})
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
