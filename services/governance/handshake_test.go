package governance

import (
	"crypto/tls"
	"net"
	"testing"
)

// handshake returns what the server thought of the client.
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
	_ = c.Handshake() // TLS 1.3: the client is done before the server has judged it
	_, _ = c.Read(make([]byte, 1))
	return <-verdict
}
