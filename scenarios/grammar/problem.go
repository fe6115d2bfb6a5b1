package grammar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/nearest"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// Problem is one mistake in a file.
type Problem struct {
	// File is the name of the file. Line counts from 1; 0 means that it is not known.
	File string
	Line int
	// Path is the path of the field, such as spec.steps[0].killPod.count. It is empty for the file as a whole.
	Path string
	// Message says what is wrong, without the remedy.
	Message string
	// Remedy is what corrects the mistake. It may be the zero Remedy.
	Remedy remedy.Remedy
}

// String returns a line that editors can parse, file:line: field: message. Control characters are escaped.
func (p Problem) String() string {
	line := fmt.Sprintf("%s:%d: ", p.File, max(1, p.Line))
	if p.Path != "" {
		line += p.Path + ": "
	}
	return text.OneLine(line + p.Message)
}

// lines returns the problem and, indented below it, its remedy.
func (p Problem) lines(command func(args []string) string) []string {
	all := []string{p.String()}
	if !p.Remedy.IsZero() {
		for _, line := range p.Remedy.Lines(command) {
			all = append(all, "  "+text.OneLine(line))
		}
	}
	return all
}

// FileError has every problem of a file, in the order of the lines.
type FileError struct{ Problems []Problem }

// Error returns the problems without their remedies, one a line.
func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Remedies returns the remedies of all problems.
func (e *FileError) Remedies() []remedy.Remedy {
	var all []remedy.Remedy
	for _, p := range e.Problems {
		if !p.Remedy.IsZero() {
			all = append(all, p.Remedy)
		}
	}
	return all
}

// Text returns every problem with its remedy below it, for people who correct the file. The function renders a command of this program, given its
// verb and arguments; nil renders it for the default sandbox.
func (e *FileError) Text(command func(args []string) string) string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.lines(command)...)
	}
	return strings.Join(lines, "\n")
}

// NewFileError returns an error with the problems sorted by line.
func NewFileError(problems []Problem) *FileError {
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &FileError{problems}
}

// Suggest returns a remedy for a misspelt word: the closest valid word, if one is close enough, and the list of all.
func Suggest(got string, valid []string) remedy.Remedy {
	if len(valid) == 0 {
		return remedy.Advice("remove it")
	}
	if near, ok := nearest.Of(got, valid); ok {
		return remedy.Value(near + "; valid here: " + strings.Join(valid, ", "))
	}
	return remedy.OneOf(valid...)
}
