// Command loadgen serves loadgen.v1.LoadGenerator and keeps background loads running.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	cfg, err := governance.ConfigFromEnv("loadgen", getenv)
	if err != nil {
		return fail(stderr, err)
	}
	cfg.Options = validation.ServerOptions()
	// A policy cannot inject faults into the calls that control the load, because such a fault would block its own removal.
	cfg.Control = []string{"loadgen.v1.LoadGenerator/*"}
	load, err := loadgen.ConfigFromEnv(getenv)
	if err != nil {
		return fail(stderr, err)
	}
	control, err := subscriber.ConfigFromEnv(getenv)
	if err != nil {
		return fail(stderr, err)
	}
	err = governance.Run(ctx, stderr, cfg, func(p *governance.Process, s *grpc.Server) error {
		if err := subscriber.Start(p, control); err != nil {
			return err
		}
		return loadgen.Register(p, s, load)
	})
	if err != nil {
		return fail(stderr, err)
	}
	return 0
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "loadgen:", remedy.Line(err, nil))
	return 1
}
