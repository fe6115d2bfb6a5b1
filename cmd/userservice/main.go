// Command userservice serves user.v1.UserService.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/user"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	cfg, err := governance.ConfigFromEnv("userservice", getenv)
	if err == nil {
		err = governance.Run(ctx, stderr, cfg, func(_ *governance.Process, s *grpc.Server) error {
			userv1.RegisterUserServiceServer(s, user.Service{})
			return nil
		})
	}
	if err != nil {
		fmt.Fprintln(stderr, "userservice:", err)
		return 1
	}
	return 0
}
