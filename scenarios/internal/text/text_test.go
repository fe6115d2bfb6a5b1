package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable_EscapesWhatATerminalInterprets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain → ✓\nnext": "plain → ✓\nnext",
		"a\x1b[2J":        `a\x1b[2J`,
		"\u009b31m":       `\u009b31m`,
		"a\u202eb":        `a\u202eb`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := OneLine("a\nb"); got != "a b" {
		t.Errorf("got %q", got)
	}
}

func TestWrap_FitsTheColumns(t *testing.T) {
	t.Parallel()
	got := Wrap("  – ", strings.Repeat("word ", 40))
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for i, line := range lines {
		if utf8.RuneCountInString(line) > Columns || (i > 0 && !strings.HasPrefix(line, "    word")) {
			t.Errorf("line %d: %q", i, line)
		}
	}
	if len(lines) != 3 || Wrap("x: ", "") != "x:\n" {
		t.Errorf("%d lines: %q", len(lines), got)
	}
}

func TestDecimal_Rounds(t *testing.T) {
	t.Parallel()
	if got := Decimal(0.995 * 100); got != "99.5" {
		t.Errorf("got %s", got)
	}
	if got := Decimal(RoundDown(99.99996)); got != "99.9999" {
		t.Errorf("got %s", got)
	}
}
