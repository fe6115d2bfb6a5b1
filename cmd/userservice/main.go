// Command userservice serves user.v1.UserService.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
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
	cfg, err := user.ConfigFromEnv(getenv)
	if err != nil {
		fmt.Fprintln(stderr, "userservice:", remedy.Line(err, nil))
		return 1
	}
	return postgres.Program{
		Service: "userservice", Role: "users", Migrations: user.Migrations(), Register: user.Register(cfg),
	}.Main(ctx, stderr, getenv)
}
