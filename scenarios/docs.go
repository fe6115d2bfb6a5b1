package scenarios

import (
	"fmt"
	"strings"
)

// Grammar prints every field, action, expectation and limit as Markdown, from the catalogs that the decoder reads by.
func Grammar() string {
	var b strings.Builder
	for _, s := range []struct {
		title  string
		fields []Field
	}{
		{"The file", topFields}, {"metadata", metadataFields}, {"spec", specFields}, {"spec.load", loadFields},
		{"spec.load call", callFields}, {"spec.steady", steadyFields}, {"spec.steps, beside one action", stepFields},
		{"waitFor, beside one expectation", waitForFields}, {"spec.recover", recoverFields},
	} {
		fmt.Fprintf(&b, "### %s\n\n%s\n", s.title, fieldTable(s.fields))
	}
	b.WriteString("## Actions\n\n")
	for _, k := range Actions() {
		entryDoc(&b, k.Name, k.Doc, k.Fields)
	}
	b.WriteString("## Expectations\n\n")
	for _, k := range Expectations() {
		entryDoc(&b, k.Name, k.Doc, k.Fields)
	}
	b.WriteString("## Limits, under abort\n\n")
	for _, k := range AbortRules() {
		entryDoc(&b, k.Name, k.Doc, k.Fields)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func entryDoc(b *strings.Builder, name, doc string, fields []Field) {
	fmt.Fprintf(b, "### `%s`\n\n%s\n\n%s\n", name, doc, fieldTable(fields))
}

func fieldTable(fields []Field) string {
	var b strings.Builder
	b.WriteString("| field | type | needed | example | meaning |\n|---|---|---|---|---|\n")
	for _, f := range fields {
		needed := "no"
		if f.Required {
			needed = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` | %s |\n", f.Name, f.Type, needed, f.Example, f.Doc)
	}
	return b.String()
}
