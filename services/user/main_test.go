package user

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Stopping(m)) }

// replica runs a userservice, and returns when its database is available.
func replica(t *testing.T, server *pgtest.Server, database string) (userv1.UserServiceClient, pgtest.Program) {
	t.Helper()
	return replicaWith(t, server, database, Config{})
}

func replicaWith(t *testing.T, server *pgtest.Server, database string, chat Config) (userv1.UserServiceClient, pgtest.Program) {
	t.Helper()
	cfg := server.Config(t, database, "userservice", "users")
	cfg.Migrations = Migrations()
	p := pgtest.Serve(t, "userservice", cfg, Register(chat))
	client := userv1.NewUserServiceClient(p.Conn)
	pgtest.Eventually(t, "the database is ready", func() bool {
		_, err := client.GetUser(t.Context(), &userv1.GetUserRequest{UserId: "u-999999"})
		return status.Code(err) == codes.NotFound
	})
	return client, p
}
