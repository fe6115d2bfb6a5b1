// Command userservice serves user.v1.UserService.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	cfg, err := governance.ConfigFromEnv("userservice", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	database, err := postgres.ConfigFromEnv("users", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	database.Migrations = user.Migrations()
	if err := postgres.Run(ctx, stderr, cfg, database, user.Register); err != nil {
		return fail(stderr, err)
	}
	return 0
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "userservice:", err)
	return 1
}
