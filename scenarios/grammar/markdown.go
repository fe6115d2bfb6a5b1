package grammar

import (
	"fmt"
	"io"
	"strings"
)

// WriteTable writes the fields of an object as a Markdown table.
func WriteTable(w io.Writer, fields []Field) {
	var b strings.Builder
	b.WriteString("| field | type | needed | example | meaning |\n|---|---|---|---|---|\n")
	for _, f := range fields {
		needed := "no"
		if f.Required {
			needed = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` | %s |\n", f.Name, f.Type, needed, f.Example, f.Doc)
	}
	fmt.Fprintf(w, "%s\n", b.String())
}

// WriteCatalog writes each entry of a catalog as a Markdown section.
func WriteCatalog[T any](w io.Writer, title string, catalog []Kind[T]) {
	fmt.Fprintf(w, "## %s\n\n", title)
	for _, k := range catalog {
		fmt.Fprintf(w, "### `%s`\n\n%s\n\n", k.Name, k.Doc)
		WriteTable(w, k.Fields)
	}
}
