// Package grammar reads YAML files strictly and reports every mistake with its file, line and field.
//
// A file is read from the outside in. [File.Document] parses the YAML, [Node.Object] turns a mapping into an [Object] whose fields are known and
// present, and the methods of Object read single values such as a duration. Nothing stops at the first mistake: a wrong value is recorded as a
// [Problem], and the reader goes on with a default. The caller asks for all problems at the end.
//
//	bytes ─ Document ─▶ Node ─ Object(fields) ─▶ Object ─ Text, Duration, One(catalog) … ─▶ values
//	                      └────────── problems and references ──────────▶ File.Err
//
// What can be written is data: a list of [Field] for each object, and catalogs of [Kind] that the caller hands in. The tables of the README and the
// JSON Schema are printed from the same data.
package grammar

// Field is one field of an object: what the reader accepts, and what the documentation prints.
type Field struct {
	// Name is the key in the file.
	Name string
	// Type is the type in words, such as duration, percentage or load. See types in schema.go.
	Type string
	// Required means that a file without the field has a problem.
	Required bool
	// Example is a value as it is written in YAML. Doc explains the field in the documentation, with its default if it has one.
	Example string
	Doc     string
}

// Required returns a field that must be present.
func Required(name, typ, example, doc string) Field {
	return Field{Name: name, Type: typ, Required: true, Example: example, Doc: doc}
}

// Optional returns a field that may be left out. Its doc says what applies by default.
func Optional(name, typ, example, doc string) Field {
	return Field{Name: name, Type: typ, Example: example, Doc: doc}
}

func fieldNames(fields []Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}
