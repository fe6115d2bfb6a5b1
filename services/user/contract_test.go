package user

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestContracts(t *testing.T) {
	server := pgtest.Shared(t)
	_, p := replica(t, server, server.Database(t))
	contracts.Verify(t, p.Conn, "orderservice", "userservice", nil)
	contracts.Verify(t, p.Conn, "chatter", "userservice", map[string]func(*testing.T){"an empty room": func(*testing.T) {}})
}
