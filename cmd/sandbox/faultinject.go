package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// injector injects faults and keeps them alive.
type injector interface {
	AddFault(ctx context.Context, name string, spec json.RawMessage) error
	Fault(ctx context.Context, name string) (*api.Fault, error)
	ClearFault(ctx context.Context, name string) error
}

// injection is one run of `fault add`.
type injection struct {
	faults []namedFault
	// limit is how long; 0 means until ctx ends.
	limit  time.Duration
	asJSON bool
}

const (
	// faultStartLimit is how long the processes may take until they inject a fault, and faultEndLimit until they have ended it.
	faultStartLimit = 30 * time.Second
	faultEndLimit   = 30 * time.Second
	// faultAwayLimit is how long the API server may be away. The lease of a fault is renewed at the control plane, so it stays in force.
	faultAwayLimit = 30 * time.Second
	// faultCheck is how often `fault add` looks whether its faults still exist.
	faultCheck = time.Second
)

// injectFaults injects faults until ctx or their time ends, and clears them.
func injectFaults(ctx context.Context, proc process, c injector, i injection) (err error) {
	var added []namedFault
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), faultEndLimit)
		defer cancel()
		for _, f := range added {
			if cerr := c.ClearFault(clean, f.name); cerr != nil {
				err = errors.Join(err, remedy.Wrap(cerr, remedy.Command("fault", "clear", f.name)))
				continue
			}
			fmt.Fprintf(proc.stderr, "%s: cleared\n", f.name)
		}
	}()
	doc := faultList{Faults: []traffic.FaultSummary{}}
	for _, f := range i.faults {
		one, err := startFault(ctx, c, f)
		if err != nil {
			return err
		}
		added = append(added, f)
		doc.Faults = append(doc.Faults, one)
	}
	if err := writeDocument(proc.stdout, doc, i.asJSON); err != nil {
		return err
	}
	if i.limit > 0 {
		fmt.Fprintf(proc.stderr, "for %s, or until you press Ctrl-C\n", i.limit)
	} else {
		fmt.Fprintln(proc.stderr, "until you press Ctrl-C")
	}
	return holdFaults(ctx, c, added, i.limit)
}

func startFault(ctx context.Context, c injector, f namedFault) (traffic.FaultSummary, error) {
	spec, err := traffic.Spec(f.spec)
	if err != nil {
		return traffic.FaultSummary{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, faultStartLimit)
	defer cancel()
	if err := c.AddFault(ctx, f.name, spec); err != nil {
		return traffic.FaultSummary{}, err
	}
	object, err := c.Fault(ctx, f.name)
	if err != nil {
		return traffic.FaultSummary{}, err
	}
	return traffic.SummarizeFault(*object), nil
}

// holdFaults waits until ctx ends, the time is over, or every fault has ended. It fails if one has ended before its time.
func holdFaults(ctx context.Context, c injector, faults []namedFault, limit time.Duration) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	answered := time.Now()
	err := pause.Until(ctx, faultCheck, func(ctx context.Context) (bool, error) {
		left := 0
		for _, f := range faults {
			ended, err := hasEnded(ctx, c, f)
			var away *awayError
			switch {
			case errors.As(err, &away) && time.Since(answered) < faultAwayLimit:
				left++
				continue
			case errors.As(err, &away):
				return false, &codedError{exitEnvironment, remedy.Errorf(remedy.Command("status"), "the cluster has not answered for %s: %w", faultAwayLimit, away.err)}
			case err != nil:
				return false, err
			}
			answered = time.Now()
			if !ended {
				left++
			}
		}
		return left == 0, nil
	})
	if errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// awayError is the error for an API server that does not answer.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }

// hasEnded reports whether a fault was cleared, or its duration is over. It fails if the fault has ended for another reason, or with an *awayError.
func hasEnded(ctx context.Context, c injector, f namedFault) (bool, error) {
	object, err := c.Fault(ctx, f.name)
	switch {
	case errors.Is(err, live.ErrNoObject):
		return true, nil
	case err != nil:
		return false, &awayError{err}
	case object.Status.Phase != api.FaultEnded:
		return false, nil
	case f.spec.GetDuration() == nil && object.DeletionTimestamp == nil:
		return false, &codedError{exitNotHeld, fmt.Errorf("fault %s has ended: %s", f.name, object.Status.Reason)}
	}
	return true, nil
}
