package scenarios

import (
	"context"
	"errors"
)

// Result is how a run ended.
type Result string

// The results of a run; Planned is a dry run's, and Skipped that of a scenario of several that was not begun.
const (
	Pass    Result = "pass"
	Fail    Result = "fail"
	Aborted Result = "aborted"
	Error   Result = "error"
	Planned Result = "planned"
	Skipped Result = "skipped"
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
func ExitCode(result Result, err error) int {
	var file *FileError
	var unknown *UnknownError
	var left *LeftError
	switch {
	case errors.As(err, &file), errors.As(err, &unknown):
		return exitBadFile
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &left) && result == Pass:
		return exitLeft
	case errors.As(err, &left) && result != Error: // the verdict takes precedence
	case err != nil:
		return exitUnfit
	}
	switch result {
	case Pass, Planned:
		return exitDone
	case Fail:
		return exitNotHeld
	case Aborted:
		return exitAborted
	default:
		return exitUnfit
	}
}
