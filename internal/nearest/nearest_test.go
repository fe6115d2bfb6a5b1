package nearest

import (
	"strings"
	"testing"
)

func TestOf_OnlySimilarWords(t *testing.T) {
	verbs := []string{"up", "down", "status", "scenarios", "watch", "run"}
	for got, want := range map[string]string{
		"statsu":                 "status",
		"STATUS":                 "status",
		"wacth":                  "watch",
		"scenario":               "scenarios",
		"u":                      "up",
		"deploy":                 "",
		"bogus":                  "",
		"":                       "",
		strings.Repeat("x", 100): "",
	} {
		if word, ok := Of(got, verbs); word != want || ok != (want != "") {
			t.Errorf("Of(%q) = %q, %v; want %q", got, word, ok, want)
		}
	}
	if word, ok := Of("up", nil); ok {
		t.Errorf("of no words: %q", word)
	}
}

func TestDistance_CountsEdits(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}, {"watch", "wacth", 1}, {"ab", "ba", 1},
	} {
		if got := distance(row.a, row.b); got != row.want {
			t.Errorf("distance(%q, %q) = %d, want %d", row.a, row.b, got, row.want)
		}
	}
}
