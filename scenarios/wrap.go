package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// columns is the width of a terminal that nobody made wider; no line of a report for people is longer, unless a single word is.
const columns = 80

// printable replaces what could command a terminal, or hide a part of the text, by its escape sequence in Go. Line ends stay.
func printable(s string) string {
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

// wrap breaks a text into lines that fit between first and the last column. The first line begins with first, the others with as many spaces.
func wrap(first, text string) string {
	indent := strings.Repeat(" ", utf8.RuneCountInString(first))
	var b strings.Builder
	line, empty := first, true
	for word := range strings.FieldsSeq(text) {
		switch {
		case empty:
			line, empty = line+word, false
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}

// TimelineLine is an event of a run for people who follow it: one line, or more where it does not fit into 80 columns.
func TimelineLine(e telemetry.Event, started time.Time) string {
	first := fmt.Sprintf("  %6.1f s  %-8s ", e.At.Sub(started).Seconds(), printable(e.Kind))
	text := e.Subject
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return wrap(first, printable(strings.ReplaceAll(text, "\n", " ")))
}
