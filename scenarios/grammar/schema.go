package grammar

import (
	"cmp"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Schema is a JSON Schema, or a part of one.
type Schema map[string]any

// ObjectSchema describes an object with exactly these fields. The map has the schemas of the fields whose schema does not follow from their type.
func ObjectSchema(fields []Field, known map[string]Schema) Schema {
	properties, required := Schema{}, []string{}
	for _, f := range fields {
		one, ok := known[f.Name]
		if !ok {
			one = TypeSchema(f.Type)
		}
		described := Schema{"description": f.Doc}
		for key, value := range one {
			described[key] = value
		}
		properties[f.Name] = described
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := Schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// ListSchema describes a list with at least one entry.
func ListSchema(entry Schema) Schema { return Schema{"type": "array", "minItems": 1, "items": entry} }

// OneSchema describes an object with one entry of a catalog, and more fields.
func OneSchema[T any](catalog []Kind[T], more []Field) Schema {
	s := ObjectSchema(more, nil)
	var one []Schema
	for _, k := range slices.SortedFunc(slices.Values(catalog), func(a, b Kind[T]) int { return cmp.Compare(a.Name, b.Name) }) {
		s.addKind(k.Name, k.Doc, k.Fields)
		one = append(one, requires(k.Name))
	}
	s["oneOf"] = one
	return s
}

// AtMostOneSchema describes an object with fields of its own and at most one entry of a catalog. At least one of the entries and of the given
// fields must be present.
func AtMostOneSchema[T any](s Schema, catalog []Kind[T], orFields ...string) Schema {
	var each, required []Schema
	for _, field := range orFields {
		required = append(required, requires(field))
	}
	for _, k := range catalog {
		s.addKind(k.Name, k.Doc, k.Fields)
		required = append(required, requires(k.Name))
		others := []Schema{}
		for _, other := range catalog {
			if other.Name != k.Name {
				others = append(others, requires(other.Name))
			}
		}
		each = append(each, Schema{"if": requires(k.Name), "then": Schema{"not": Schema{"anyOf": others}}})
	}
	s["anyOf"], s["allOf"] = required, each
	return s
}

func (s Schema) addKind(name, doc string, fields []Field) {
	kind := ObjectSchema(fields, nil)
	kind["description"] = doc
	s["properties"].(Schema)[name] = kind
}

func requires(name string) Schema { return Schema{"required": []string{name}} }

// types are the schemas of the types that fields name. Durations, rates and percentages have units, so YAML reads them as strings.
var types = map[string]Schema{
	"text":                   {"type": []string{"string", "number", "boolean"}},
	"name":                   {"type": []string{"string", "number"}, "pattern": nameForm.String()},
	"load":                   {"type": []string{"string", "number"}},
	"partner":                {"type": []string{"string", "number"}, "pattern": "^[a-z0-9-]{1,36}$"},
	"step":                   {"type": []string{"string", "number", "boolean"}},
	"method":                 {"type": "string", "pattern": `^[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*$`},
	"duration":               {"type": []string{"string", "number"}, "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$`},
	"percentage":             {"type": "string", "pattern": `^[0-9.]+%$`},
	"rate":                   {"type": "string", "pattern": `^[0-9.]+/[sm]$`},
	"whole number":           {"type": "integer", "minimum": 0},
	"number":                 {"type": "number"},
	"number between 0 and 1": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
	"state":                  {"enum": breakerStates},
	"list of states":         {"type": "array", "minItems": 1, "items": Schema{"enum": breakerStates}},
	"fields":                 {"type": "object"},
}

var breakerStates = []string{string(telemetry.Closed), string(telemetry.Open), string(telemetry.HalfOpen)}

// TypeSchema returns the schema of a type. A type may also list its words: "callers or callee". The schema of an unknown type is empty and allows
// everything; a test ensures that no field has one.
func TypeSchema(name string) Schema {
	if s, ok := types[name]; ok {
		return s
	}
	if words := strings.Split(name, " or "); len(words) > 1 {
		return Schema{"enum": words}
	}
	return Schema{}
}
