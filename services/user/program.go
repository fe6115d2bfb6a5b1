package user

import (
	"embed"
	"io/fs"

	"github.com/grpc-sandbox/sandbox/services/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the migrations of the database role users.
func Migrations() fs.FS { return postgres.Migrations(migrations) }

// Program describes userservice, which ConfigFromEnv configures. It is ready without its database, because the computed users need none.
func Program(getenv func(string) string) (postgres.Program, error) {
	cfg, err := ConfigFromEnv(getenv)
	return postgres.Program{
		Service: "userservice", Role: "users", Migrations: Migrations(), Register: Register(cfg),
	}, err
}
