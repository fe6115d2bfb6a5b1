package payment

import (
	"embed"
	"io/fs"

	"github.com/grpc-sandbox/sandbox/services/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the migrations of the database role payments.
func Migrations() fs.FS { return postgres.Migrations(migrations) }

// Program describes paymentservice.
func Program(func(string) string) (postgres.Program, error) {
	return postgres.Program{
		Service: "paymentservice", Role: "payments", Migrations: Migrations(), Needed: true, Register: Register,
	}, nil
}
