package policy

import (
	"strings"
	"testing"
)

func TestCovers_ExamplePatterns(t *testing.T) {
	for _, c := range []struct {
		general, special string
		want             bool
	}{
		{"", "", true},
		{"", "a.B/*", true},
		{"*/*", "", true},
		{"*/*", "a.B/Get", true},
		{"*/*", "*/*", true},
		{"a.B/*", "", false},
		{"a.B/*", "*/*", false},
		{"a.B/*", "a.B/Get*", true},
		{"a.B/Get*", "a.B/*", false},
		{"a.B/Get?", "a.B/Get?", true},
		{"a.B/Get?", "a.B/Get1", true},
		{"a.B/Get*", "a.B/Get?", true},
		{"a.B/Get?", "a.B/Get*", false},
	} {
		if got := Covers(c.general, c.special); got != c.want {
			t.Errorf("Covers(%q, %q) = %v", c.general, c.special, got)
		}
	}
}

// A pattern that is said to cover another one must match all that the other one matches. All short patterns and names are compared.
func TestCovers_OnlyWhatMatchesToo(t *testing.T) {
	patterns, names := texts("ab/*?", 3), texts("ab/", 4)
	for _, general := range patterns {
		for _, special := range patterns {
			if !Covers(general, special) {
				continue
			}
			for _, name := range names {
				// A method has one slash.
				if strings.Count(name, "/") == 1 && Matches(special, name) && !Matches(general, name) {
					t.Errorf("Covers(%q, %q), and only the second matches %q", general, special, name)
				}
			}
		}
	}
}

// texts returns every text of at most so many of the characters.
func texts(characters string, most int) []string {
	all := []string{""}
	for from := 0; most > 0; most-- {
		to := len(all)
		for _, t := range all[from:to] {
			for _, c := range characters {
				all = append(all, t+string(c))
			}
		}
		from = to
	}
	return all
}

func TestExactness_GrowsWithThePattern(t *testing.T) {
	for pattern, want := range map[string]int{"": 0, "*/*": 0, "a.B/*": 1, "a.B/Get?": 1, "a.B/Get": 2} {
		if got := Exactness(pattern); got != want {
			t.Errorf("Exactness(%q) = %d, want %d", pattern, got, want)
		}
	}
}
