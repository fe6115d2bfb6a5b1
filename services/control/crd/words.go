package crd

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

func join(words []string, separator string) string { return strings.Join(words, separator) }

// either joins words: a, b or c.
func either(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// describe returns the documentation of a field: its comment, and that of its message or enum.
func describe(f protoreflect.FieldDescriptor) string {
	parts := []string{renamed(comment(f), f.ContainingMessage())}
	switch {
	case f.Message() != nil && !f.IsMap() && !isDuration(f):
		parts = append(parts, renamed(comment(f.Message()), f.Message()))
	case f.Enum() != nil:
		parts = append(parts, comment(f.Enum()))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n\n")
}

// comment returns the comment above a declaration, a paragraph in each line.
func comment(d protoreflect.Descriptor) string {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	var paragraphs []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if words := strings.Fields(paragraph); len(words) > 0 {
			paragraphs = append(paragraphs, strings.Join(words, " "))
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

var snake = regexp.MustCompile(`\b[a-z0-9]+(_[a-z0-9]+)+\b`)

// renamed returns a comment with the names of fields of a message as they are written in JSON.
func renamed(text string, d protoreflect.MessageDescriptor) string {
	return snake.ReplaceAllStringFunc(text, func(name string) string {
		if f := d.Fields().ByName(protoreflect.Name(name)); f != nil {
			return f.JSONName()
		}
		return name
	})
}

// reserved are the names that CEL cannot select as they are.
var reserved = []string{"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
	"package", "namespace", "return", "var", "void", "while"}

// escaped returns the name of a field in CEL.
func escaped(f protoreflect.FieldDescriptor) string {
	if slices.Contains(reserved, f.JSONName()) {
		return "__" + f.JSONName() + "__"
	}
	return f.JSONName()
}
