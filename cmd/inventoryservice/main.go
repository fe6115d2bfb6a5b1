// Command inventoryservice serves inventory.v1.InventoryService.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	return postgres.Program{
		Service: "inventoryservice", Role: "inventory", Migrations: inventory.Migrations(), Needed: true, Register: inventory.Register,
	}.Main(ctx, stderr, getenv)
}
