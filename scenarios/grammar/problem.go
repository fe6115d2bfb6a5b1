package grammar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/nearest"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// Problem is one mistake in a file.
type Problem struct {
	File string
	Line int
	// Path is the path of the field, such as spec.steps[0].killPod.count. It is empty for the file as a whole.
	Path    string
	Message string
	// Remedy says how to correct the mistake. It may be empty.
	Remedy string
}

// String returns a line that editors can parse, file:line: field: message, and the remedy on a second line. Control characters are escaped.
func (p Problem) String() string {
	line := fmt.Sprintf("%s:%d: ", p.File, max(1, p.Line))
	if p.Path != "" {
		line += p.Path + ": "
	}
	line = text.OneLine(line + p.Message)
	if p.Remedy == "" {
		return line
	}
	return line + "\n  " + text.OneLine(p.Remedy)
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

// NewFileError returns an error with the problems sorted by line.
func NewFileError(problems []Problem) *FileError {
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &FileError{problems}
}

// Suggest returns a remedy for a misspelt word: the closest valid word, if one is close enough, and the list of all.
func Suggest(got string, valid []string) string {
	list := "valid here: " + strings.Join(valid, ", ")
	if len(valid) == 0 {
		list = "valid here: nothing"
	}
	if near, ok := nearest.Of(got, valid); ok {
		return fmt.Sprintf("did you mean %q? %s", near, list)
	}
	return list
}
