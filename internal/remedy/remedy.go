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
	"strings"
)

// Remedy is one thing that a user can do. The zero Remedy does not exist: use one of the constructors.
type Remedy struct {
	command []string
	text    string
	runs    string
	when    string
}

// Command is a command of this program: a verb and its arguments, without the program's name and without --name.
func Command(verb string, args ...string) Remedy {
	return Remedy{command: append([]string{verb}, args...)}
}

// Shell is a command line of another program. Each word is quoted as a POSIX shell needs it.
func Shell(words ...string) Remedy { return Remedy{text: Quote(words...)} }

// Flag is a flag of the command that failed, with the value that helps.
func Flag(name, value string) Remedy {
	if value == "" {
		return Remedy{text: "--" + name}
	}
	return Remedy{text: "--" + name + " " + Quote(value)}
}

// Value is a value that would have been accepted, such as "250ms".
func Value(text string) Remedy { return Remedy{text: text} }

// Advice is anything else, as a short imperative sentence without a full stop.
func Advice(text string) Remedy { return Remedy{text: text} }

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
	if r.command == nil {
		return r.text
	}
	if command == nil {
		return "sandbox " + Quote(r.command...)
	}
	return command(r.command)
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

func (e *Error) Error() string { return e.err.Error() }

// Remedies returns the remedies of this error alone.
func (e *Error) Remedies() []Remedy { return e.remedies }

// Unwrap returns the error without its remedies.
func (e *Error) Unwrap() error { return e.err }

// New returns an error with the given text and remedies.
func New(text string, remedies ...Remedy) error { return Wrap(errors.New(text), remedies...) }

// Wrap adds remedies to err; it returns nil for a nil err.
func Wrap(err error, remedies ...Remedy) error {
	if err == nil {
		return nil
	}
	return &Error{err: err, remedies: remedies}
}

// Of returns the remedies in the tree of err, without duplicates. An error type of another package has remedies if it has a method Remedies. Those of an inner error come before those of the errors that wrap it, because
// they are closer to the cause.
func Of(err error) []Remedy {
	var all []Remedy
	seen := map[string]bool{}
	collect(err, func(r Remedy) {
		if key := r.Text(nil) + "\n" + r.runs; !seen[key] {
			seen[key] = true
			all = append(all, r)
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
