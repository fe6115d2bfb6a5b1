package rest

import (
	"bytes"
	// For the template.
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
)

//go:embed page.tmpl
var pageText string

// row is a line of a table on the page.
type row struct{ Name, Place, Type, Description string }

// section is an operation on the page.
type section struct {
	ID, Method, Path, Summary, Description string
	Parameters, Answer                     []row
	Example, Curl                          string
}

// html returns the page.
func (d document) html(curl, base string) ([]byte, error) {
	tmpl, err := template.New("page").Funcs(template.FuncMap{"codeName": codeName}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("reading the template of the page: %w", err)
	}
	var sections []section
	for _, path := range sorted(d.Paths) {
		for _, method := range sorted(d.Paths[path]) {
			sections = append(sections, d.section(strings.ToUpper(method), path, d.Paths[path][method], curl, base))
		}
	}
	var text bytes.Buffer
	err = tmpl.Execute(&text, map[string]any{
		"Title": d.Info.Title, "Sections": sections, "Types": d.types(), "Codes": statuses(), "Reasons": Reasons(),
	})
	if err != nil {
		return nil, fmt.Errorf("writing the page: %w", err)
	}
	return text.Bytes(), nil
}

// section describes one operation. The fields of its body are parameters.
func (d document) section(method, path string, o described, curl, base string) section {
	s := section{ID: o.OperationID, Method: method, Path: path, Summary: o.Summary, Description: o.Description}
	for _, p := range o.Parameters {
		if p.In != "body" {
			s.Parameters = append(s.Parameters, row{p.Name, p.In, typeName(schema{Type: p.Type, Format: p.Format}), p.Description})
			continue
		}
		body := d.resolve(p.Schema)
		s.Parameters = append(s.Parameters, d.fields(body, "body")...)
		s.Example = compact(body.Example)
	}
	s.Answer = d.fields(d.resolve(o.Responses["200"].Schema), "")
	s.Curl = curl + ` "` + base + examplePath(path, o.Parameters) + `"`
	if s.Example != "" {
		s.Curl += " \\\n  --json '" + strings.ReplaceAll(s.Example, "'", `'\''`) + "'"
	}
	return s
}

func (d document) fields(s schema, place string) (rows []row) {
	for _, name := range sorted(s.Properties) {
		field := s.Properties[name]
		rows = append(rows, row{name, place, typeName(field), field.Description})
	}
	return rows
}

// examplePath returns a path with the examples of its variables. A variable without one becomes a variable of the shell, such as $ORDER_ID.
func examplePath(path string, parameters []parameter) string {
	for _, p := range parameters {
		if p.In != "path" {
			continue
		}
		value := p.Example
		if value == "" {
			value = "$" + strings.ToUpper(beforeCapital.ReplaceAllString(p.Name, "${1}_${2}"))
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
	}
	return path
}

var beforeCapital = regexp.MustCompile("([a-z])([A-Z])")

func compact(text json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return string(text)
	}
	return out.String()
}

// typeSection is a type on the page.
type typeSection struct {
	Name, Description string
	Enum              []string
	Fields            []row
}

// types returns the types that are parts of bodies and answers. Those that are a body or an answer are described with their operation.
func (d document) types() (all []typeSection) {
	whole := map[string]bool{}
	for _, methods := range d.Paths {
		for _, o := range methods {
			whole[typeName(o.Responses["200"].Schema)] = true
			for _, p := range o.Parameters {
				whole[typeName(p.Schema)] = true
			}
		}
	}
	for _, name := range sorted(d.Definitions) {
		if s := d.Definitions[name]; !whole[name] {
			all = append(all, typeSection{name, s.Description, s.Enum, d.fields(s, "")})
		}
	}
	return all
}

// codeStatus is a line of the table of codes.
type codeStatus struct {
	Code   string
	Status int
	Title  string
}

// statuses returns the HTTP status of every code of an error.
func statuses() (all []codeStatus) {
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		http := runtime.HTTPStatusFromCode(c)
		all = append(all, codeStatus{codeName(c), http, title(http)})
	}
	return all
}
