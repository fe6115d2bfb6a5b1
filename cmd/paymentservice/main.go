// Command paymentservice serves payment.v1.PaymentService.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/grpc-sandbox/sandbox/services/payment"
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
		Service: "paymentservice", Role: "payments", Migrations: payment.Migrations(), Needed: true, Register: payment.Register,
	}.Main(ctx, stderr, getenv)
}
