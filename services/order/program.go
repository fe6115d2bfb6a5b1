package order

import (
	"embed"
	"io/fs"

	"github.com/grpc-sandbox/sandbox/services/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the migrations of the database role orders.
func Migrations() fs.FS { return postgres.Migrations(migrations) }

// Program describes orderservice, which ConfigFromEnv configures.
func Program(getenv func(string) string) (postgres.Program, error) {
	return postgres.Program{
		Service: "orderservice", Role: "orders", Migrations: Migrations(), Needed: true, Register: Register(ConfigFromEnv(getenv)),
	}, nil
}
