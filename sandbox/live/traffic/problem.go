package traffic

import (
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Problem is one mistake in a file.
type Problem struct {
	File string
	policy.Problem
}

// String returns a line that editors can parse, file:line: field: message, and what would be accepted on a second line.
func (p Problem) String() string {
	line := fmt.Sprintf("%s:%d: ", p.File, max(1, p.Line))
	if p.Field != "" {
		line += p.Field + ": "
	}
	line += p.Why
	if p.Try == "" {
		return line
	}
	return line + "\n  " + strings.Join(remedy.Value(p.Try).Lines(nil), "\n  ")
}

// FileError has every problem of a file, in the order of the lines.
type FileError struct{ Problems []Problem }

func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
