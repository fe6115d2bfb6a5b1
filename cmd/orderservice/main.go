// Command orderservice serves order.v1.OrderService.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/order"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	cfg, err := governance.ConfigFromEnv("orderservice", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	database, err := postgres.ConfigFromEnv("orders", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	database.Migrations, database.Needed = order.Migrations(), true
	if err := postgres.Run(ctx, stderr, cfg, database, order.Register(order.ConfigFromEnv(getenv))); err != nil {
		return fail(stderr, err)
	}
	return 0
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "orderservice:", err)
	return 1
}
