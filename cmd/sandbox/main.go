// Command sandbox creates a local gRPC platform, injects faults into it, and reports whether callers noticed.
package main

import (
	"context"
	"os"

	"github.com/grpc-sandbox/sandbox/internal/noquery"
)

func main() {
	noquery.Restore()
	os.Exit(withSignals(func(ctx context.Context, slow <-chan struct{}) int {
		return run(ctx, os.Args[1:], process{
			stdin: os.Stdin, stdout: output(os.Stdout), stderr: output(os.Stderr), getenv: os.Getenv, getuid: os.Getuid, slow: slow,
		})
	}))
}
