package scenarios

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// A schema is a JSON Schema, or a part of one.
type schema map[string]any

// WriteSchema writes a JSON Schema (draft 2020-12) of scenario files, from the catalogs that the decoder reads by. It is for editors: what depends on
// other fields, on the charts or on the protos, only Parse and Check know.
func WriteSchema(w io.Writer) error {
	top := fieldsSchema(topFields, map[string]schema{
		"apiVersion": {"const": APIVersion},
		"kind":       {"const": FileKind},
		"metadata":   fieldsSchema(metadataFields, nil),
		"spec":       specSchema(),
	})
	top["$schema"], top["title"] = "https://json-schema.org/draft/2020-12/schema", "A scenario of sandbox"
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		return fmt.Errorf("writing the schema: %w", err)
	}
	return nil
}

func specSchema() schema {
	kinds := map[string][]Field{}
	docs := map[string]string{}
	for _, k := range Expectations() {
		kinds[k.Name], docs[k.Name] = k.Fields, k.Doc
	}
	expectation := oneOfKinds(kinds, docs, nil)
	expectations := schema{"type": "array", "minItems": 1, "items": expectation}
	load := fieldsSchema(loadFields, map[string]schema{"from": {"const": target.Generator}, "call": fieldsSchema(callFields, nil)})
	rules, ruleDocs := map[string][]Field{}, map[string]string{}
	for _, k := range AbortRules() {
		rules[k.Name], ruleDocs[k.Name] = k.Fields, k.Doc
	}
	return fieldsSchema(specFields, map[string]schema{
		"load":    {"type": "array", "minItems": 1, "items": load},
		"steady":  fieldsSchema(steadyFields, map[string]schema{"expect": expectations}),
		"steps":   {"type": "array", "minItems": 1, "items": stepSchema(kinds, docs)},
		"recover": fieldsSchema(recoverFields, map[string]schema{"expect": expectations}),
		"expect":  expectations,
		"abort":   {"type": "array", "minItems": 1, "items": oneOfKinds(rules, ruleDocs, nil)},
	})
}

func stepSchema(expectations map[string][]Field, docs map[string]string) schema {
	s := fieldsSchema(stepFields, map[string]schema{"waitFor": oneOfKinds(expectations, docs, waitForFields)})
	properties := s["properties"].(schema)
	// At most one action, and at least one of an action and waitFor.
	var each []schema
	required := []schema{{"required": []string{"waitFor"}}}
	for _, a := range Actions() {
		action := fieldsSchema(a.Fields, nil)
		action["description"] = a.Doc
		properties[a.Name] = action
		required = append(required, schema{"required": []string{a.Name}})
		others := []schema{}
		for _, b := range Actions() {
			if b.Name != a.Name {
				others = append(others, schema{"required": []string{b.Name}})
			}
		}
		each = append(each, schema{"if": schema{"required": []string{a.Name}}, "then": schema{"not": schema{"anyOf": others}}})
	}
	s["anyOf"], s["allOf"] = required, each
	return s
}

// oneOfKinds is an object with one kind of a catalog, and more fields.
func oneOfKinds(kinds map[string][]Field, docs map[string]string, more []Field) schema {
	s := fieldsSchema(more, nil)
	properties := s["properties"].(schema)
	var one []schema
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		kind := fieldsSchema(kinds[name], nil)
		kind["description"] = docs[name]
		properties[name] = kind
		one = append(one, schema{"required": []string{name}})
	}
	s["oneOf"] = one
	return s
}

// fieldsSchema is an object with exactly these fields; known are the ones whose schema does not follow from their type.
func fieldsSchema(fields []Field, known map[string]schema) schema {
	properties, required := schema{}, []string{}
	for _, f := range fields {
		one, ok := known[f.Name]
		if !ok {
			one = typeSchema(f.Type)
		}
		described := schema{"description": f.Doc}
		for key, value := range one {
			described[key] = value
		}
		properties[f.Name] = described
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// types are the schemas of the types that the catalogs name. Durations and the like have units, so that YAML reads them as texts.
var types = map[string]schema{
	"text":                   {"type": []string{"string", "number", "boolean"}},
	"name":                   {"type": []string{"string", "number"}, "pattern": nameForm.String()},
	"load":                   {"type": []string{"string", "number"}},
	"step":                   {"type": []string{"string", "number", "boolean"}},
	"method":                 {"type": "string", "pattern": `^[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*$`},
	"duration":               {"type": []string{"string", "number"}, "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$`},
	"percentage":             {"type": "string", "pattern": `^[0-9.]+%$`},
	"rate":                   {"type": "string", "pattern": `^[0-9.]+/[sm]$`},
	"whole number":           {"type": "integer", "minimum": 0},
	"number between 0 and 1": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
	"state":                  {"enum": breakerStates},
	"list of states":         {"type": "array", "minItems": 1, "items": schema{"enum": breakerStates}},
	"fields":                 {"type": "object"},
}

// typeSchema also reads types that list their words: "callers or callee". A type that it does not know allows everything; a test sees to it that there is
// none.
func typeSchema(name string) schema {
	if s, ok := types[name]; ok {
		return s
	}
	if words := strings.Split(name, " or "); len(words) > 1 {
		return schema{"enum": words}
	}
	return schema{}
}
