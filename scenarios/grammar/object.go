package grammar

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Node is one value of the file and its position.
type Node struct {
	yaml *yaml.Node
	// line is the line of the key, so that a missing child is reported where the parent is written.
	line int
	path string
	file *File
}

// Object is a mapping whose fields are known, and whose required fields are present or reported as missing.
type Object struct {
	Node
	members map[string]Node
}

// Problem records a mistake at this place. The remedy may be the zero Remedy.
func (n Node) Problem(fix remedy.Remedy, format string, args ...any) {
	n.file.problems = append(n.file.problems, Problem{n.file.name, n.line, n.path, fmt.Sprintf(format, args...), fix})
}

// ProblemAt records a mistake in a field that is written in o.
func (o Object) ProblemAt(field string, fix remedy.Remedy, format string, args ...any) {
	o.members[field].Problem(fix, format, args...)
}

func (n Node) child(name string, key, value *yaml.Node) Node {
	path := name
	if n.path != "" {
		path = n.path + "." + name
	}
	n.file.lines[path] = key.Line
	return Node{value, key.Line, path, n.file}
}

// Object reads a mapping strictly: unknown, repeated and missing fields are problems.
func (n Node) Object(fields []Field) (Object, bool) {
	o := Object{n, map[string]Node{}}
	if n.yaml.Kind != yaml.MappingNode {
		n.Problem(remedy.OneOf(fieldNames(fields)...), "want fields, got %s", describe(n.yaml))
		return o, false
	}
	names := fieldNames(fields)
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key, value := n.yaml.Content[i], n.yaml.Content[i+1]
		member := n.child(key.Value, key, value)
		_, twice := o.members[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			n.Problem(remedy.OneOf(fieldNames(fields)...), "want a field name, got %s", describe(key))
		case !slices.Contains(names, key.Value):
			member.Problem(Suggest(key.Value, names), "unknown field")
		case twice:
			member.Problem(remedy.Advice("keep one of them"), "the field is given twice")
		default:
			o.members[key.Value] = member
		}
	}
	for _, f := range fields {
		if f.Required && !o.Has(f.Name) {
			missing := n.child(f.Name, &yaml.Node{Line: n.line}, nil)
			missing.Problem(remedy.Value(fmt.Sprintf("%s: %s", f.Name, f.Example)), "missing")
		}
	}
	return o, true
}

// Has reports whether the field is written, even without a value.
func (o Object) Has(name string) bool {
	_, ok := o.members[name]
	return ok
}

// Member returns the value of a field that is written.
func (o Object) Member(name string) (Node, bool) {
	n, ok := o.members[name]
	return n, ok
}

// Fields reads the object in a field. It returns false if the field is absent or not an object.
func (o Object) Fields(name string, fields []Field) (Object, bool) {
	n, ok := o.members[name]
	if !ok {
		return Object{}, false
	}
	return n.Object(fields)
}

// List reads a sequence. An absent field is an empty list.
func (o Object) List(name string) []Node {
	n, ok := o.members[name]
	if !ok {
		return nil
	}
	if n.yaml.Kind != yaml.SequenceNode {
		n.Problem(remedy.Advice("start each entry with a dash"), "want a list, got %s", describe(n.yaml))
		return nil
	}
	if len(n.yaml.Content) == 0 {
		n.Problem(remedy.Advice("add an entry, or leave the field out"), "the list is empty")
	}
	items := make([]Node, len(n.yaml.Content))
	for i, item := range n.yaml.Content {
		items[i] = Node{item, item.Line, fmt.Sprintf("%s[%d]", n.path, i), n.file}
		n.file.lines[items[i].path] = item.Line
	}
	return items
}

// Unique reports a problem if an earlier entry of the list has the same name. The caller keeps seen, the line of each name, for the whole list.
func (o Object) Unique(seen map[string]int, name string) {
	if name == "" {
		return
	}
	if line, twice := seen[name]; twice {
		o.ProblemAt("name", remedy.Advice("give each its own name"), "%q is already used on line %d", name, line)
		return
	}
	seen[name] = o.members["name"].line
}

func describe(y *yaml.Node) string {
	switch y.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a YAML alias (scenario files are written out in full)"
	case yaml.ScalarNode:
		if y.Tag == "!!null" {
			return "nothing"
		}
		return fmt.Sprintf("%q", y.Value)
	default:
		return "nothing"
	}
}
