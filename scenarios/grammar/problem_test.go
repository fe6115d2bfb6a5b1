package grammar

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestSuggest_ListsTheValidWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got   string
		valid []string
		want  string
	}{
		{"cuont", []string{"release", "count"}, "count; valid here: release, count"},
		{"colour", []string{"release", "count"}, "one of release, count"},
		{"", []string{"callers"}, "one of callers"},
		{"x", nil, "remove it"},
	} {
		if got := Suggest(c.got, c.valid).Text(nil); got != c.want {
			t.Errorf("%q: got %q, want %q", c.got, got, c.want)
		}
	}
}

func TestProblem_String(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Problem{
		"x.yaml:3: spec.load: missing": {File: "x.yaml", Line: 3, Path: "spec.load", Message: "missing", Remedy: remedy.Value("load")},
		"x.yaml:1: the file is empty":  {File: "x.yaml", Message: "the file is empty"},
		`x.yaml:1: a b\x1b`:            {File: "x.yaml", Line: 1, Message: "a\nb\x1b"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestFileError_RemediesAreData: the text of the error has no remedies, and the command renders those that are commands.
func TestFileError_RemediesAreData(t *testing.T) {
	t.Parallel()
	err := NewFileError([]Problem{
		{File: "x.yaml", Line: 3, Path: "spec.load", Message: "missing", Remedy: remedy.Value("load\x1b")},
		{File: "x.yaml", Line: 1, Message: "the file is empty", Remedy: remedy.Command("scenarios", "show", "pod-kill")},
		{File: "x.yaml", Line: 4, Message: "no remedy"},
	})
	if got, want := err.Error(), "x.yaml:1: the file is empty\nx.yaml:3: spec.load: missing\nx.yaml:4: no remedy"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	command := func(args []string) string { return "sandbox " + strings.Join(args, " ") + " --name blue" }
	const want = `x.yaml:1: the file is empty
  try: sandbox scenarios show pod-kill --name blue
x.yaml:3: spec.load: missing
  try: load\x1b
x.yaml:4: no remedy`
	if got := err.Text(command); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := len(remedy.Of(err)); got != 2 {
		t.Errorf("%d remedies, want 2", got)
	}
}
