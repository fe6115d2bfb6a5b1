package scenarios

import (
	"context"
	"errors"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// The exit codes of a program that runs scenarios.
const (
	exitDone        = 0
	exitFailed      = 1
	exitBadFile     = 2
	exitUnfit       = 3
	exitAborted     = 4
	exitLeft        = 5
	exitInterrupted = 130
)

// ExitCode maps what Parse, Load or Run returned to an exit code of the program. Changes that a run left behind turn a pass into 5; every other
// verdict keeps its code.
//
//	0    every expectation was met, or a dry run
//	1    an expectation was not met
//	2    a scenario file is wrong or unknown
//	3    there is no verdict
//	4    a limit stopped the run
//	5    every expectation was met, but changes were left behind
//	130  interrupted
func ExitCode(result report.Result, err error) int {
	var file *grammar.FileError
	var left *LeftError
	switch {
	case errors.As(err, &file), errors.Is(err, ErrUnknown):
		return exitBadFile
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &left) && result == report.Pass:
		return exitLeft
	case errors.As(err, &left) && result != report.Error:
		// The verdict takes precedence.
	case err != nil:
		return exitUnfit
	}
	switch result {
	case report.Pass, report.Planned:
		return exitDone
	case report.Fail:
		return exitFailed
	case report.Aborted:
		return exitAborted
	default:
		return exitUnfit
	}
}

// close completes the report with how the work ended.
func (r *run) close(ctx context.Context, err error) (report.Report, error) {
	result, message, err := r.outcome(ctx, err)
	r.report.Result, r.report.Message = result, message
	for _, l := range r.Load {
		if reading, ok := r.final[l.Name]; ok {
			r.report.Load = append(r.report.Load, report.NewLoad(l.Name, reading, r.report.StartedAt))
			r.report.Recovery = callTimes(r.report.Recovery, reading.Failures, r.fault)
		}
	}
	if result != report.Planned {
		r.report.Expectations = withUnjudged(r.Scenario, r.report.Expectations)
	}
	r.report.Summary = r.report.Summarize()
	r.log.result(string(result))
	r.log.phase("done")
	r.report.Timeline = ordered(r.log.snapshot().Timeline, r.report.StartedAt)
	r.report.Seconds = report.Seconds(r.Clock.Now().Sub(r.report.StartedAt))
	return r.report, err
}

// outcome returns the result, the message and the error of a run. What ended the work comes first, then the expectations, then what clean-up left
// behind, which does not change a verdict.
func (r *run) outcome(ctx context.Context, err error) (report.Result, string, error) {
	var exceeded *watch.LimitError
	var unhealthy *unhealthyError
	failed := 0
	for _, f := range r.report.Expectations {
		if !f.Met() {
			failed++
		}
	}
	switch {
	case errors.As(err, &exceeded):
		return report.Aborted, exceeded.Error(), r.left()
	case errors.As(err, &unhealthy):
		return report.Fail, unhealthy.Error(), r.left()
	case err != nil && ctx.Err() != nil:
		return report.Error, "interrupted", fmt.Errorf("running %s: interrupted: %w", r.Name, withUnclean(ctx.Err(), r.unclean))
	case err != nil:
		return report.Error, err.Error(), fmt.Errorf("running %s: %w", r.Name, withUnclean(err, r.unclean))
	case failed > 0:
		return report.Fail, fmt.Sprintf("%d of %d expectations did not hold", failed, len(r.report.Expectations)), r.left()
	case r.unclean != nil:
		return report.Pass, r.unclean.Error(), r.left()
	}
	return report.Pass, "", nil
}

// left returns an error for what clean-up left behind, or nil.
func (r *run) left() error {
	if r.unclean == nil {
		return nil
	}
	return fmt.Errorf("running %s: %w", r.Name, r.unclean)
}

func withUnclean(err, unclean error) error {
	if unclean == nil {
		return err
	}
	return fmt.Errorf("%w; %w", err, unclean)
}
