package scenarios

// HintError carries what mends it; the top of the program prints the hint on a line of its own.
type HintError struct {
	Err error
	Try string
}

func (e *HintError) Error() string { return e.Err.Error() }

func (e *HintError) Unwrap() error { return e.Err }

// Hint is the remedy, without the words "try:".
func (e *HintError) Hint() string { return e.Try }
