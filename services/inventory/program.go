package inventory

import (
	"embed"
	"io/fs"

	"github.com/grpc-sandbox/sandbox/services/postgres"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the migrations of the database role inventory.
func Migrations() fs.FS { return postgres.Migrations(migrations) }

// Program describes inventoryservice.
func Program(func(string) string) (postgres.Program, error) {
	return postgres.Program{
		Service: "inventoryservice", Role: "inventory", Migrations: Migrations(), Needed: true, Register: Register,
	}, nil
}
