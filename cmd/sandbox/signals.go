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

// patience is how long stopping may take without a word.
const patience = time.Second

// withSignals calls do with a context that ends when the process is asked to end: by Ctrl-C, SIGTERM, or the end of its terminal or connection
// (SIGHUP, unless it is ignored already, as under nohup). The command then stops and cleans up. A second Ctrl-C or SIGTERM ends the process at
// once; a second SIGHUP does not, because a closing terminal may send it twice.
//
// SIGPIPE is caught, so that a write to a pipe without a reader is an error and not the end of the process. It is not ignored, because child
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
				signal.Stop(asked) // what a second one leaves, the next command finds
				cancel()
				slow = time.After(patience)
			case <-hungUp:
				cancel()
			case <-slow:
				fmt.Fprintln(stderr, "sandbox: stopping; Ctrl-C again ends it at once, and `sandbox undo` then puts back what a run has changed")
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
