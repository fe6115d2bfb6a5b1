// Command sandbox brings up a local gRPC platform, breaks it on purpose, and says whether callers noticed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long stopping may take without a word.
const patience = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		stop() // a second Ctrl-C ends the process: what it leaves the next command finds
		select {
		case <-time.After(patience):
			fmt.Fprintln(os.Stderr, "sandbox: stopping; Ctrl-C again ends it at once")
		case <-ended:
		}
	})
	code := run(ctx, os.Args[1:], world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, getuid: os.Getuid})
	close(ended)
	stop()
	os.Exit(code)
}
