package rest

import (
	// For the document.
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// openAPI is the OpenAPI document, which `task generate` writes.
//
//go:embed openapi.json
var openAPI []byte

// document is the part of an OpenAPI document, version 2, that routes and page need.
type document struct {
	Info        struct{ Title, Version string }
	Paths       map[string]map[string]described
	Definitions map[string]schema
}

// described is an operation with its description.
type described struct {
	OperationID string
	Tags        []string
	Summary     string
	Description string
	Parameters  []parameter
	Responses   map[string]struct{ Schema schema }
}

type parameter struct {
	Name        string
	In          string
	Type        string
	Format      string
	Description string
	Required    bool
	Schema      schema
	// Example is an extension, which openapigen writes.
	Example string `json:"x-example"`
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        string
	Format      string
	Description string
	Enum        []string
	Items       *schema
	Properties  map[string]schema
	Example     json.RawMessage
}

func readDocument(text []byte) (document, error) {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return doc, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	return doc, nil
}

// resolve returns the schema that a reference names.
func (d document) resolve(s schema) schema {
	if s.Ref == "" {
		return s
	}
	return d.Definitions[typeName(s)]
}

// typeName returns the name of a type for people.
func typeName(s schema) string {
	switch {
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/definitions/")
	case s.Items != nil:
		return "list of " + typeName(*s.Items)
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}

// operations returns the operations by path and method.
func (d document) operations() []operation {
	var all []operation
	for _, path := range sorted(d.Paths) {
		for _, method := range sorted(d.Paths[path]) {
			o := operation{method: strings.ToUpper(method), segments: strings.Split(path, "/")}
			for _, p := range d.Paths[path][method].Parameters {
				switch p.In {
				case "query":
					o.query = append(o.query, p)
				case "body":
					o.hasBody = true
				}
			}
			all = append(all, o)
		}
	}
	return all
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
