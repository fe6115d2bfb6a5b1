// Package remedy attaches to an error what the user can do about it.
//
// An error that a user can meet has two parts: what went wrong, and what to do. The first is the text of the error and may be wrapped, joined and
// quoted like any other. The second is data: a [Remedy] that travels with the text and is read back with [Of]. Only the command prints remedies,
// once, because only the command knows which sandbox the user asked for.
//
//	return remedy.Wrap(fmt.Errorf("reading the state of sandbox %s: %w", name, err), remedy.Command("down"))
//
// is printed for a sandbox that is not the default one as
//
//	sandbox: reading the state of sandbox demo: unexpected end of JSON input
//	try: sandbox down --name demo
package remedy

import (
	"errors"
	"fmt"
	"strings"
)

// Remedy is one thing that a user can do. The zero Remedy means that there is none.
type Remedy struct {
	parts []part
	runs  string
	when  string
}

// part is a command of this program, or text if command is nil.
type part struct {
	command []string
	text    string
}

func text(s string) Remedy { return Remedy{parts: []part{{text: s}}} }

// Command is a command of this program: a verb and its arguments, without the program's name and without --name.
func Command(verb string, args ...string) Remedy {
	return Remedy{parts: []part{{command: append([]string{verb}, args...)}}}
}

// Shell is a command line of another program. Each word is quoted as a POSIX shell needs it.
func Shell(words ...string) Remedy { return text(Quote(words...)) }

// Flag is a flag of the command that failed, with the value that helps.
func Flag(name, value string) Remedy {
	if value == "" {
		return text("--" + name)
	}
	return text("--" + name + " " + Quote(value))
}

// Value is a value that would have been accepted, such as "250ms".
func Value(value string) Remedy { return text(value) }

// OneOf lists the values that would have been accepted.
func OneOf(values ...string) Remedy { return text("one of " + strings.Join(values, ", ")) }

// Advice is anything else, as a short imperative sentence without a full stop.
func Advice(sentence string) Remedy { return text(sentence) }

// Advicef is advice that contains other remedies. Each %s of the format stands for the next argument, which is a string or a Remedy; there are no
// other verbs.
//
//	remedy.Advicef("%s, then %s", remedy.Command("down"), remedy.Command("up"))
func Advicef(format string, args ...any) Remedy {
	var r Remedy
	for i, piece := range strings.Split(format, "%s") {
		if i > 0 {
			switch arg := args[i-1].(type) {
			case Remedy:
				r.parts = append(r.parts, arg.parts...)
			case string:
				r.parts = append(r.parts, part{text: arg})
			}
		}
		if piece != "" {
			r.parts = append(r.parts, part{text: piece})
		}
	}
	return r
}

// IsZero reports whether r is no remedy at all.
func (r Remedy) IsZero() bool { return len(r.parts) == 0 }

// Runs returns r with the command line that it carries out in the end, for users who want to know before they agree.
func (r Remedy) Runs(line string) Remedy {
	r.runs = line
	return r
}

// If returns r with the condition under which it is right, for a remedy that destroys something.
func (r Remedy) If(condition string) Remedy {
	r.when = condition
	return r
}

// Text returns r as the user reads it. The function renders a command of this program, given its verb and arguments; nil renders it for the
// default sandbox.
func (r Remedy) Text(command func(args []string) string) string {
	if command == nil {
		command = func(args []string) string { return "sandbox " + Quote(args...) }
	}
	var b strings.Builder
	for _, p := range r.parts {
		if p.command != nil {
			b.WriteString(command(p.command))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// Lines returns r as the lines that the command prints below the error.
func (r Remedy) Lines(command func(args []string) string) []string {
	lines := []string{"try: " + r.Text(command)}
	if r.when != "" {
		lines[0] += "   (if " + r.when + ")"
	}
	if r.runs != "" {
		lines = append(lines, "which runs: "+r.runs)
	}
	return lines
}

// Error is an error with its remedies. Its text is that of the error alone.
type Error struct {
	err      error
	remedies []Remedy
}

// Error returns the text of the error without its remedies.
func (e *Error) Error() string { return e.err.Error() }

// Remedies returns the remedies of this error alone.
func (e *Error) Remedies() []Remedy { return e.remedies }

// Unwrap returns the error without its remedies.
func (e *Error) Unwrap() error { return e.err }

// New returns an error with the given text and remedies.
func New(text string, remedies ...Remedy) error { return Wrap(errors.New(text), remedies...) }

// Errorf formats an error as fmt.Errorf does, %w included, and gives it one remedy.
func Errorf(r Remedy, format string, args ...any) error { return Wrap(fmt.Errorf(format, args...), r) }

// Wrap adds remedies to err; it returns nil for a nil err.
func Wrap(err error, remedies ...Remedy) error {
	if err == nil {
		return nil
	}
	return &Error{err: err, remedies: remedies}
}

// Of returns the remedies in the tree of err, without duplicates. An error type of another package has remedies if it has a method Remedies. Those
// of an inner error come before those of the errors that wrap it, because they are closer to the cause. An outer error may repeat a remedy to add
// what it runs.
func Of(err error) []Remedy {
	var all []Remedy
	index := map[string]int{}
	collect(err, func(r Remedy) {
		key := r.Text(nil)
		i, seen := index[key]
		switch {
		case !seen:
			index[key] = len(all)
			all = append(all, r)
		case all[i].runs == "":
			all[i].runs = r.runs
		}
	})
	return all
}

func collect(err error, add func(Remedy)) {
	switch x := err.(type) { //nolint:errorlint // this walks the tree itself
	case interface{ Unwrap() error }:
		collect(x.Unwrap(), add)
	case interface{ Unwrap() []error }:
		for _, inner := range x.Unwrap() {
			collect(inner, add)
		}
	}
	if e, ok := err.(interface{ Remedies() []Remedy }); ok {
		for _, r := range e.Remedies() {
			add(r)
		}
	}
}

// Line returns an error and its remedies on one line, for a place that has no room for more. The function renders commands, as for Text.
func Line(err error, command func(args []string) string) string {
	line := strings.ReplaceAll(err.Error(), "\n", "; ")
	for _, r := range Of(err) {
		line += "; " + strings.Join(r.Lines(command), ", ")
	}
	return line
}

// Quote joins words into a line that a POSIX shell splits into the same words again.
func Quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// plain are the bytes that no POSIX shell interprets anywhere in a word.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,"

func quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
