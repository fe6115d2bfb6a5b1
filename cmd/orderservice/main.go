// Command orderservice serves order.v1.OrderService.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

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
	return postgres.Program{
		Service: "orderservice", Role: "orders", Migrations: order.Migrations(), Needed: true, Register: order.Register(order.ConfigFromEnv(getenv)),
	}.Main(ctx, stderr, getenv)
}
