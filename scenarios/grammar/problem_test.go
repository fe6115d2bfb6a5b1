package grammar

import "testing"

func TestSuggest_ListsTheValidWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got   string
		valid []string
		want  string
	}{
		{"cuont", []string{"release", "count"}, `did you mean "count"? valid here: release, count`},
		{"colour", []string{"release", "count"}, "valid here: release, count"},
		{"", []string{"callers"}, "valid here: callers"},
		{"x", nil, "valid here: nothing"},
	} {
		if got := Suggest(c.got, c.valid); got != c.want {
			t.Errorf("%q: got %q, want %q", c.got, got, c.want)
		}
	}
}

func TestProblem_String(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Problem{
		"x.yaml:3: spec.load: missing\n  try: load": {"x.yaml", 3, "spec.load", "missing", "try: load"},
		"x.yaml:1: the file is empty":               {"x.yaml", 0, "", "the file is empty", ""},
		`x.yaml:1: a b\x1b`:                         {"x.yaml", 1, "", "a\nb\x1b", ""},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
