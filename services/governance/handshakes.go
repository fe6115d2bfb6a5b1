package governance

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"
)

// handshakes counts and logs why a peer was refused. gRPC does not report it in the server, and the client only sees that the connection ended.
type handshakes struct {
	credentials.TransportCredentials
	// callee is empty in the server.
	callee  string
	metrics *Metrics
	refused *throttledLog
	// plaintext returns an error if a server without an identity is refused; nil means that the transport checks identities.
	plaintext func() error
}

func serverHandshakes(c credentials.TransportCredentials, metrics *Metrics, log *slog.Logger) credentials.TransportCredentials {
	return handshakes{TransportCredentials: c, metrics: metrics, refused: newThrottledLog(log)}
}

func clientHandshakes(c credentials.TransportCredentials, cfg ClientConfig) credentials.TransportCredentials {
	h := handshakes{TransportCredentials: c, callee: cfg.Callee, metrics: cfg.Metrics, refused: newThrottledLog(cfg.Log.With("callee", cfg.Callee))}
	if cfg.Identity == nil {
		h.plaintext = func() error { return cfg.checkServer("") }
	}
	return h
}

// ServerHandshake does the handshake, and reports a refusal.
func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ServerHandshake(raw)
	// EOF means that the peer hung up: nothing was refused.
	if err != nil && !errors.Is(err, io.EOF) {
		h.report("server", raw, err)
	}
	return conn, info, err
}

// ClientHandshake does the handshake, and reports a refusal. Other errors, such as the end of the connection, are those of its calls.
func (h handshakes) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err == nil && h.plaintext != nil {
		err = h.plaintext()
	}
	if err != nil && reasonOfRefusal(err) != refusedOther {
		h.report("client", raw, err)
	}
	return conn, info, err
}

func (h handshakes) report(side string, raw net.Conn, err error) {
	h.metrics.handshakesRefused.WithLabelValues(side, h.callee, reasonOfRefusal(err)).Inc()
	h.refused.warn("refused a connection", "peer", raw.RemoteAddr().String(), "error", err)
}

// Reasons of refused handshakes.
const (
	refusedIdentity    = "identity"
	refusedCertificate = "certificate"
	refusedOther       = "other"
)

func reasonOfRefusal(err error) string {
	var (
		identity    *identityError
		ours        *certificateError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &identity):
		return refusedIdentity
	case errors.As(err, &ours), errors.As(err, &certificate):
		return refusedCertificate
	}
	return refusedOther
}

// Clone returns a copy that shares log and metrics.
func (h handshakes) Clone() credentials.TransportCredentials {
	h.TransportCredentials = h.TransportCredentials.Clone()
	return h
}
