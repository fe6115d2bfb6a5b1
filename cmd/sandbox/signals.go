package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// slowStop is how long stopping may take before a message explains how to end the process immediately.
const slowStop = time.Second

// withSignals calls do with a context that is cancelled by Ctrl-C, by SIGTERM, and by SIGHUP (the terminal or connection closed), unless SIGHUP is
// already ignored, as under nohup. The command then stops and cleans up. A second Ctrl-C or SIGTERM ends the process immediately; a second SIGHUP
// does not, because a closing terminal may send it twice.
//
// SIGPIPE is caught, so that a write to a pipe without a reader returns an error instead of ending the process. It is not ignored, because child
// processes would inherit that.
func withSignals(stderr io.Writer, do func(context.Context) int) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked, hungUp, broken := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	signal.Notify(broken, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hungUp, syscall.SIGHUP)
	}
	ended := make(chan struct{})
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
				fmt.Fprintln(stderr, "sandbox: stopping; press Ctrl-C again to exit immediately, then run `sandbox undo` to undo the changes of a run; a fault ends with its lease")
			case <-ended:
				return
			}
		}
	})
	code := do(ctx)
	close(ended)
	watching.Wait()
	for _, c := range []chan os.Signal{asked, hungUp, broken} {
		signal.Stop(c)
	}
	return code
}
