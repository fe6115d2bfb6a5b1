package governance

import (
	"errors"
	"io"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"
)

// handshakes logs why the server refused a connection. gRPC does not report it, and the client only sees that the connection ended.
type handshakes struct {
	credentials.TransportCredentials
	refused *throttledLog
}

func newHandshakes(c credentials.TransportCredentials, log *slog.Logger) credentials.TransportCredentials {
	return handshakes{c, newThrottledLog(log)}
}

// ServerHandshake does the handshake and logs a refusal.
func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ServerHandshake(raw)
	// EOF means that the peer hung up: nothing was refused.
	if err != nil && !errors.Is(err, io.EOF) {
		h.refused.warn("refused a connection", "from", raw.RemoteAddr().String(), "error", err)
	}
	return conn, info, err
}

// Clone returns a copy that shares the log.
func (h handshakes) Clone() credentials.TransportCredentials {
	return handshakes{h.TransportCredentials.Clone(), h.refused}
}
