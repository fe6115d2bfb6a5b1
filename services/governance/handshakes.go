package governance

import (
	"errors"
	"io"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"
)

// handshakes says on the server's side why a connection was refused: gRPC tells nobody, and the caller hears only that it ended.
type handshakes struct {
	credentials.TransportCredentials
	refused *seldom
}

func newHandshakes(c credentials.TransportCredentials, log *slog.Logger) credentials.TransportCredentials {
	return handshakes{c, newSeldom(log)}
}

func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ServerHandshake(raw)
	if err != nil && !errors.Is(err, io.EOF) { // who leaves without a word was refused nothing
		h.refused.warn("refused a connection", "from", raw.RemoteAddr().String(), "error", err)
	}
	return conn, info, err
}

func (h handshakes) Clone() credentials.TransportCredentials {
	return handshakes{h.TransportCredentials.Clone(), h.refused}
}
