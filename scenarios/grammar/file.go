package grammar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// MaxFile is the size in bytes above which a file is refused. It is far above the size of a scenario that a person writes. A reader
// needs one byte beyond it at most.
const MaxFile = 1 << 20

// File collects, while one file is read, the problems in it and the references that can be resolved only at its end.
type File struct {
	name       string
	problems   []Problem
	references []Reference
	// lines has the line of each field, by its path.
	lines map[string]int
	entry int
}

// NewFile returns a file without problems. The name is the one that problems show.
func NewFile(name string) *File { return &File{name: name, lines: map[string]int{}} }

// Lines returns the line of each field that was read, by its path.
func (f *File) Lines() map[string]int { return f.lines }

// Enter sets the number of the list entry that is read from now on. References remember it, see [Reference].
func (f *File) Enter(entry int) { f.entry = entry }

// Err returns a [*FileError] with every problem found so far, or nil.
func (f *File) Err() error {
	if len(f.problems) == 0 {
		return nil
	}
	return NewFileError(f.problems)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// Document parses a file that contains one YAML document.
func (f *File) Document(data []byte) (Node, bool) {
	top := Node{yaml: &yaml.Node{}, line: 1, file: f}
	if len(data) > MaxFile {
		top.Problem(remedy.Advice("split it"), "the file is larger than %d bytes", MaxFile)
		return top, false
	}
	// Some editors write a byte order mark.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !isUTF16(data) {
		if line, what, fix := notText(data); what != "" {
			top.line = line
			top.Problem(fix, "%s", what)
			return top, false
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		top.Problem(remedy.Command("scenarios", "show", "pod-kill"), "the file is empty")
		return top, false
	case err != nil:
		syntax(top, err)
		return top, false
	}
	if !last(decoder, top) {
		return top, false
	}
	if len(document.Content) != 1 {
		top.Problem(remedy.Command("scenarios", "show", "pod-kill"), "the file is empty")
		return top, false
	}
	top.yaml = document.Content[0]
	top.line = max(1, top.yaml.Line)
	return top, true
}

// isUTF16 reports whether a file starts with the byte order mark of UTF-16, which YAML allows.
func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
}

// notText finds the first place that is not text. It returns its line, what is wrong there, and the remedy; what is empty if all is text.
func notText(data []byte) (line int, what string, fix remedy.Remedy) {
	line = 1
	for column := 1; len(data) > 0; column++ {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, fmt.Sprintf("byte 0x%02x at character %d is not UTF-8", data[0], column), remedy.Advice("save the file as UTF-8")
		case r == '\n':
			line, column = line+1, 0
		case r != '\t' && r != '\r' && r != '\u0085' && unicode.IsControl(r):
			return line, fmt.Sprintf("%U at character %d is a control character", r, column), remedy.Advice("remove it; in a text with double quotes, write it as an escape such as \\x00")
		}
		data = data[size:]
	}
	return 0, "", remedy.Remedy{}
}

// last reads to the end of the file. Only empty documents may follow, because a file may end with three dashes.
func last(decoder *yaml.Decoder, top Node) bool {
	for {
		var more yaml.Node
		switch err := decoder.Decode(&more); {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			syntax(top, err)
			return false
		case len(more.Content) == 1 && more.Content[0].Tag == "!!null":
		default:
			top.line = max(1, more.Line)
			top.Problem(remedy.Advice("split it, one scenario a file"), "there is more than one YAML document")
			return false
		}
	}
}

func syntax(top Node, err error) {
	message := err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			top.line = line
		}
		message = m[2]
	}
	top.Problem(remedy.Advice("indent with spaces, and quote texts that contain : or {"), "not YAML: %s", message)
}
