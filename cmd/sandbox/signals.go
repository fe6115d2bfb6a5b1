package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// slowStop is how long stopping may take before a message explains how to end the process immediately.
const slowStop = time.Second

// withSignals calls do with a context that is cancelled by Ctrl-C, by SIGTERM, and by SIGHUP (the terminal or connection closed), unless SIGHUP is
// already ignored, as under nohup. The command then stops and cleans up. A second Ctrl-C or SIGTERM ends the process immediately; a second SIGHUP
// does not, because a closing terminal may send it twice.
//
// The channel is closed if the command has not ended slowStop after Ctrl-C or SIGTERM.
//
// SIGPIPE is caught, so that a write to a pipe without a reader returns an error instead of ending the process. It is not ignored, because child
// processes would inherit that.
func withSignals(do func(ctx context.Context, slow <-chan struct{}) int) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked, hungUp, broken := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	signal.Notify(broken, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hungUp, syscall.SIGHUP)
	}
	stopsSlowly, ended := make(chan struct{}), make(chan struct{})
	// Two signals in quick succession are both received.
	report := sync.OnceFunc(func() { close(stopsSlowly) })
	var watching sync.WaitGroup
	watching.Go(func() {
		var slow <-chan time.Time
		for {
			select {
			case <-asked:
				// A second signal has its default effect. The next command cleans up what that leaves behind.
				signal.Stop(asked)
				cancel()
				slow = time.After(slowStop)
			case <-hungUp:
				cancel()
			case <-slow:
				report()
			case <-ended:
				return
			}
		}
	})
	code := do(ctx, stopsSlowly)
	close(ended)
	watching.Wait()
	for _, c := range []chan os.Signal{asked, hungUp, broken} {
		signal.Stop(c)
	}
	return code
}

// explainSlowStop makes root print how to end the process immediately once slow is closed. It waits for that from the time at which the flags are
// parsed, because the remedy is for the sandbox that --name selects. The returned function ends the waiting.
func explainSlowStop(root *cobra.Command, proc process) (end func()) {
	var waiting sync.WaitGroup
	ended := make(chan struct{})
	check := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		g := globalsOf(root)
		waiting.Go(func() {
			select {
			case <-proc.slow:
				fmt.Fprintf(proc.stderr, "sandbox: stopping; press Ctrl-C again to exit immediately, then run `%s` to undo the changes of a run; a fault ends with its lease\n",
					remedy.Command("undo").Text(g.commandLine))
			case <-ended:
			}
		})
		return check(cmd, args)
	}
	return func() {
		close(ended)
		waiting.Wait()
	}
}
