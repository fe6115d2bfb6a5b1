package user

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestContracts_Replayed(t *testing.T) {
	server := pgtest.Shared(t)
	_, p := replica(t, server, server.Database(t))
	contracttest.Verify(t, "userservice", p.Conn)
}
