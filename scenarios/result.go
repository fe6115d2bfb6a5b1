package scenarios

import (
	"context"
	"errors"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
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

// ExitCode maps what Parse, Load or Run returned to an exit code of the program. Changes that a run left behind turn a pass into 5; every other verdict keeps
// its code.
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
	case errors.As(err, &left) && result != report.Error: // the verdict takes precedence
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
