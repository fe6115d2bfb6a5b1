package grammar

import "github.com/grpc-sandbox/sandbox/internal/remedy"

// Kind is an entry of a catalog: something that can be written under its name, with the fields that belong to it.
type Kind[T any] struct {
	// Name is the key under which the entry is written. Doc explains it in the documentation.
	Name string
	Doc  string
	// Fields are what can be written below the name.
	Fields []Field
	// Decode reads the fields. It is called even if some of them are missing or wrong; the file then has a problem, and the result is not used.
	Decode func(Object) T
}

// Names returns the names of a catalog in its order.
func Names[T any](catalog []Kind[T]) []string { return fieldNames(KindFields(catalog)) }

// KindFields returns the fields under which the entries of a catalog are written.
func KindFields[T any](catalog []Kind[T]) []Field {
	fields := make([]Field, len(catalog))
	for i, k := range catalog {
		fields[i] = Field{Name: k.Name}
	}
	return fields
}

// Pick reads the entries of a catalog that are written in o. It returns the last one and the names of all.
func Pick[T any](o Object, catalog []Kind[T]) (found T, given []string) {
	for _, k := range catalog {
		if m, ok := o.members[k.Name]; ok {
			given = append(given, k.Name)
			if fields, ok := m.Object(k.Fields); ok {
				found = k.Decode(fields)
			}
		}
	}
	return found, given
}

// One reads the one entry of a catalog that is written in o. The noun names an entry in problems, such as "expectation".
func One[T any](o Object, catalog []Kind[T], noun string) T {
	found, given := Pick(o, catalog)
	if len(given) != 1 {
		o.Problem(remedy.OneOf(Names(catalog)...), "want one %s, got %d", noun, len(given))
	}
	return found
}

// Each reads a list whose entries each contain one entry of a catalog.
func Each[T any](items []Node, catalog []Kind[T], noun string) []T {
	var out []T
	for _, n := range items {
		if o, ok := n.Object(KindFields(catalog)); ok {
			out = append(out, One(o, catalog, noun))
		}
	}
	return out
}

// Validator is implemented by the result of a Decode that can be written correctly and still makes no sense, such as a condition that is always true.
type Validator interface {
	// Validate returns what makes no sense; nil if all does.
	Validate() []Mistake
}

// Mistake is a problem in a field of one entry of a catalog, with the message for people. The field may have an index, such as "trace[1]".
type Mistake struct {
	Field, Message string
	// Remedy is what corrects the mistake. It may be the zero Remedy.
	Remedy remedy.Remedy
}
