// Command sandbox brings up a local gRPC platform, breaks it on purpose, and says whether callers noticed.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, getuid: os.Getuid})
	stop()
	os.Exit(code)
}
