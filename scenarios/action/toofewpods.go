package action

import "github.com/grpc-sandbox/sandbox/internal/remedy"

// TooFewPodsError means that a release has fewer pods than a step needs. If a killed run has left changes behind, its remedies do not help; undoing
// those changes may.
type TooFewPodsError struct {
	// Text is the text of the error. Try has its remedies.
	Text string
	Try  []remedy.Remedy
}

// Error returns Text.
func (e *TooFewPodsError) Error() string { return e.Text }

// Remedies returns what helps if no run has left changes behind.
func (e *TooFewPodsError) Remedies() []remedy.Remedy { return e.Try }
