package grammar

import (
	"errors"
	"strings"
	"testing"
)

// parsed reads a text as one object.
func parsed(t *testing.T, text string, fields ...Field) (Object, *File) {
	t.Helper()
	f := NewFile("x.yaml")
	n, ok := f.Document([]byte(text))
	if !ok {
		t.Fatal(f.Err())
	}
	o, _ := n.Object(fields)
	return o, f
}

// problemsOf returns the problems of a file, one a line.
func problemsOf(f *File) string {
	var lines []string
	for _, p := range f.problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func TestObject_ReportsUnknownRepeatedAndMissingFields(t *testing.T) {
	t.Parallel()
	fields := []Field{Required("name", "name", "mine", ""), Required("for", "duration", "5s", ""), Optional("after", "duration", "1s", "")}
	o, f := parsed(t, "name: a\nname: b\naftr: 1s\n", fields...)
	want := "x.yaml:2: name: the field is given twice\nx.yaml:3: aftr: unknown field\nx.yaml:1: for: missing"
	if got := problemsOf(f); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if o.Has("for") || o.Has("after") || !o.Has("name") || o.Name("name") != "a" {
		t.Errorf("%+v", o.members)
	}
	var err *FileError
	if !errors.As(f.Err(), &err) || !strings.HasPrefix(err.Text(nil), "x.yaml:1: for: missing\n  try: for: 5s\n") {
		t.Errorf("not in the order of the lines: %v", err)
	}
}

func TestObject_ListAndFields(t *testing.T) {
	t.Parallel()
	fields := []Field{Optional("items", "", "", ""), Optional("none", "", "", ""), Optional("one", "", "", ""), Optional("inner", "", "", "")}
	o, f := parsed(t, "items: [a, b]\nnone: []\none: a\ninner: {name: x}\n", fields...)
	if n := len(o.List("items")); n != 2 {
		t.Errorf("%d items", n)
	}
	if len(o.List("absent")) != 0 || len(o.List("none")) != 0 || len(o.List("one")) != 0 {
		t.Error("a list that is absent, empty or none has items")
	}
	inner, ok := o.Fields("inner", []Field{Required("name", "", "", "")})
	if !ok || inner.Name("name") != "x" || f.Lines()["inner.name"] != 4 {
		t.Errorf("inner %+v, lines %v", inner.members, f.Lines())
	}
	if _, ok := o.Fields("absent", nil); ok {
		t.Error("an absent object was read")
	}
	if got, want := problemsOf(f), "x.yaml:2: none: the list is empty\nx.yaml:3: one: want a list, got \"a\""; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
