package grammar

import (
	"slices"
	"strings"
	"testing"
)

func catalog() []Kind[string] {
	field := []Field{Required("of", "text", "browse", "the load")}
	return []Kind[string]{
		{Name: "b", Doc: "The second.", Fields: field, Decode: func(o Object) string { return "b " + o.Text("of") }},
		{Name: "a", Doc: "The first.", Fields: field, Decode: func(o Object) string { return "a " + o.Text("of") }},
	}
}

func TestOne_WantsExactlyOneEntry(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: {of: x}":                "",
		"{a: {of: x}, b: {of: x}}":  "x.yaml:1: want one thing, got 2",
		"{}":                        "x.yaml:1: want one thing, got 0",
		"c: {of: x}":                "x.yaml:1: c: unknown field\nx.yaml:1: want one thing, got 0",
		"a: {off: x}":               "x.yaml:1: a.off: unknown field\nx.yaml:1: a.of: missing",
		"a: x":                      `x.yaml:1: a: want fields, got "x"`,
		"{a: {of: x, of: y}}":       "x.yaml:1: a.of: the field is given twice",
		"a: {of: \"two\\nlines\"}":  `x.yaml:1: a.of: want a text of one line without control characters, got "two\nlines"`,
		"a: {of: }":                 "x.yaml:1: a.of: want a text, got nothing",
		"a: {of: {}}":               "x.yaml:1: a.of: want a text, got fields",
		"a: {of: [x]}":              "x.yaml:1: a.of: want a text, got a list",
		"a: {of: x} # with comment": "",
	} {
		o, f := parsed(t, text, KindFields(catalog())...)
		got := One(o, catalog(), "thing")
		if problems := problemsOf(f); problems != want || want == "" && got != "a x" {
			t.Errorf("%s: got %q with\n%s\nwant\n%s", text, got, problems, want)
		}
	}
}

func TestEach_ReadsAList(t *testing.T) {
	t.Parallel()
	o, f := parsed(t, "list: [{a: {of: x}}, {b: {of: y}}]", Optional("list", "", "", ""))
	if got := Each(o.List("list"), catalog(), "thing"); !slices.Equal(got, []string{"a x", "b y"}) || f.Err() != nil {
		t.Errorf("got %q, %v", got, f.Err())
	}
}

func TestWriteCatalog_HasEveryEntryInItsOrder(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	WriteCatalog(&b, "Things", catalog())
	const table = "| field | type | needed | example | meaning |\n|---|---|---|---|---|\n| `of` | text | yes | `browse` | the load |\n\n"
	if want := "## Things\n\n### `b`\n\nThe second.\n\n" + table + "### `a`\n\nThe first.\n\n" + table; b.String() != want {
		t.Errorf("got:\n%s", b.String())
	}
	if names := Names(catalog()); !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("names %q", names)
	}
}
