// Package text prepares texts and numbers for people: it breaks lines, escapes what a terminal would interpret, and rounds numbers.
package text

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Columns is the default width of a terminal. No line of a report for people is longer, unless a single word is.
const Columns = 80

// Printable replaces control characters and characters that hide or reorder text by their escape sequences in Go. Line ends stay.
func Printable(s string) string {
	clean := func(r rune) bool { return r == '\n' || r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// OneLine is Printable with every line end replaced by a space.
func OneLine(s string) string { return Printable(strings.ReplaceAll(s, "\n", " ")) }

// Wrap breaks a text into lines of at most [Columns]. The first line starts with first, the others with as many spaces.
func Wrap(first, text string) string {
	indent := strings.Repeat(" ", utf8.RuneCountInString(first))
	var b strings.Builder
	line, empty := first, true
	for word := range strings.FieldsSeq(text) {
		switch {
		case empty:
			line, empty = line+word, false
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > Columns:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
