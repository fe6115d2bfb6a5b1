package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// unhealthyError means that the baseline was not met.
type unhealthyError struct{ findings []report.Finding }

func (e *unhealthyError) Error() string {
	var why []string
	for _, f := range e.findings {
		if !f.Met() {
			why = append(why, fmt.Sprintf("%s %s, wanted %s", f.Name, f.ObservedText(), f.LimitText()))
		}
	}
	return "the steady state was not met, so nothing was broken: " + strings.Join(why, "; ")
}

// steady starts the loads and measures the baseline.
func (r *run) steady(ctx context.Context, background *sync.WaitGroup, stop context.CancelCauseFunc) error {
	if err := r.startLoads(ctx); err != nil {
		return err
	}
	sampling, stopSampling := context.WithCancel(ctx)
	r.stopSampling = stopSampling
	background.Go(func() { r.loads.Run(sampling, stop) })

	from, err := r.readLoads(ctx)
	if err != nil {
		return err
	}
	if err := clock.Pause(ctx, r.Clock, r.Steady.For); err != nil {
		return err
	}
	to, err := r.readLoads(ctx)
	if err != nil {
		return err
	}
	e := r.evidence(ctx)
	e.Value = r.value(ctx, r.Steady.For)
	for name, reading := range to {
		e.Loads[name] = reading.Sub(from[name])
	}
	findings := expect.CheckAll("steady", r.Steady.Expect, e)
	setSeconds(findings, r.Steady.For)
	r.report.Expectations = append(r.report.Expectations, findings...)
	if !report.AllMet(findings) {
		return &unhealthyError{findings}
	}
	return nil
}

func (r *run) startLoads(ctx context.Context) error {
	for _, l := range r.Load {
		detail := fmt.Sprintf("%s from %s to %s at %s", l.Name, l.From, l.Call.Method, l.Rate)
		c, err := r.intend(journal.LoadKind, "", action.Effect{Detail: detail, Undo: journal.StopLoad{Load: r.loadPrefix() + l.Name}})
		if err != nil {
			return err
		}
		if err := r.target.Loads.Start(ctx, l); err != nil {
			// The load belongs to another program.
			if errors.Is(err, target.ErrLoadTaken) {
				r.drop(c)
			}
			return fmt.Errorf("starting load %s: %w", l.Name, err)
		}
		r.log.note("load", l.Name, "start: "+detail)
	}
	return nil
}

func (r *run) readLoads(ctx context.Context) (map[string]target.LoadReading, error) {
	out := map[string]target.LoadReading{}
	for _, l := range r.Load {
		reading, err := r.target.Loads.Read(ctx, l.Name)
		if err != nil {
			return nil, fmt.Errorf("reading load %s: %w", l.Name, err)
		}
		out[l.Name] = reading
	}
	return out, nil
}
