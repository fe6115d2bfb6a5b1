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
	exitNotHeld     = 1
	exitBadFile     = 2
	exitUnfit       = 3
	exitAborted     = 4
	exitLeft        = 5
	exitInterrupted = 130
)

// ExitCode maps what Parse, Load or Run returned to the program's exit code. A bad file or an unknown scenario is 2, an interruption 130. What a
// run left behind turns a pass into a 5; every other verdict keeps its code.
func ExitCode(result report.Result, err error) int {
	var file *grammar.FileError
	var unknown *UnknownError
	var left *LeftError
	switch {
	case errors.As(err, &file), errors.As(err, &unknown):
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
		return exitNotHeld
	case report.Aborted:
		return exitAborted
	default:
		return exitUnfit
	}
}
