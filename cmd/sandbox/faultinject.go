package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
)

// injectFaults injects faults until ctx or their time ends, prints them, and clears them.
func injectFaults(ctx context.Context, proc process, c traffic.Injector, i traffic.Injection, asJSON bool) error {
	i.Cleared = func(name string) { fmt.Fprintf(proc.stderr, "%s: cleared\n", name) }
	i.Added = func(all []traffic.FaultSummary) error {
		if err := writeDocument(proc.stdout, faultList{Faults: all}, asJSON); err != nil {
			return err
		}
		if i.Limit > 0 {
			fmt.Fprintf(proc.stderr, "for %s, or until you press Ctrl-C\n", i.Limit)
		} else {
			fmt.Fprintln(proc.stderr, "until you press Ctrl-C")
		}
		return nil
	}
	err := i.Run(ctx, c)
	var ended *traffic.FaultEndedError
	if errors.As(err, &ended) {
		return &codedError{exitNotHeld, err}
	}
	return err
}
