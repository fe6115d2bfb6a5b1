package traffic

import (
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Problem is one mistake in a file.
type Problem struct {
	// File is the name of the file, as given to Read.
	File string
	policy.Problem
}

// String returns a line that editors can parse, file:line: field: message.
func (p Problem) String() string {
	line := fmt.Sprintf("%s:%d: ", p.File, max(1, p.Line))
	if p.Field != "" {
		line += p.Field + ": "
	}
	return line + p.Why
}

// FileError has every problem of a file, in the order of the lines.
type FileError struct{ Problems []Problem }

// Error returns the problems without what would be accepted, one a line.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Text returns every problem and, indented below it, what would be accepted.
func (e *FileError) Text() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
		if p.Try != "" {
			for _, line := range remedy.Value(p.Try).Lines(nil) {
				lines = append(lines, "  "+line)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// Remedies returns the values that would be accepted.
func (e *FileError) Remedies() (all []remedy.Remedy) {
	for _, p := range e.Problems {
		if p.Try != "" {
			all = append(all, remedy.Value(p.Try))
		}
	}
	return all
}
