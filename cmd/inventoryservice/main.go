// Command inventoryservice serves inventory.v1.InventoryService.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/grpc-sandbox/sandbox/services/governance"
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
	cfg, err := governance.ConfigFromEnv("inventoryservice", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	database, err := postgres.ConfigFromEnv("inventory", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	database.Migrations, database.Needed = inventory.Migrations(), true
	if err := postgres.Run(ctx, stderr, cfg, database, inventory.Register); err != nil {
		return fail(stderr, err)
	}
	return 0
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "inventoryservice:", err)
	return 1
}
