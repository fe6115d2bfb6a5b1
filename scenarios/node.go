package scenarios

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Field is one field of the grammar: what the decoder accepts, and what the docs print.
type Field struct {
	Name     string
	Type     string // as a reader would say it: duration, percentage, load
	Required bool
	Example  string
	Doc      string
}

// A node is one value of the file, and where it stands.
type node struct {
	yaml *yaml.Node
	line int // of its key, so that a missing child is reported where the parent is written
	path string
	file *reading
}

// A reading collects what one file holds wrong, and the names that can be looked up only at its end.
type reading struct {
	name       string
	problems   []Problem
	references []reference
	lines      map[string]int // of each field, by its path
	step       int            // the index of the step being read
}

// An object is a mapping whose fields are known and present.
type object struct {
	node
	members map[string]node
}

func (n node) problem(remedy, format string, args ...any) {
	n.file.problems = append(n.file.problems, Problem{n.file.name, n.line, n.path, fmt.Sprintf(format, args...), remedy})
}

func (n node) child(name string, key, value *yaml.Node) node {
	path := name
	if n.path != "" {
		path = n.path + "." + name
	}
	n.file.lines[path] = key.Line
	return node{value, key.Line, path, n.file}
}

// object reads a mapping strictly: unknown, repeated and missing fields are problems.
func (n node) object(fields []Field) (object, bool) {
	o := object{n, map[string]node{}}
	if n.yaml.Kind != yaml.MappingNode {
		n.problem("fields here: "+namesOf(fields), "want fields, got %s", describe(n.yaml))
		return o, false
	}
	names := fieldNames(fields)
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key, value := n.yaml.Content[i], n.yaml.Content[i+1]
		member := n.child(key.Value, key, value)
		_, twice := o.members[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			n.problem("fields here: "+namesOf(fields), "want a field name, got %s", describe(key))
		case !slices.Contains(names, key.Value):
			member.problem(Suggest(key.Value, names), "unknown field")
		case twice:
			member.problem("keep one of them", "the field is given twice")
		default:
			o.members[key.Value] = member
		}
	}
	for _, f := range fields {
		if f.Required && !o.has(f.Name) {
			missing := n.child(f.Name, &yaml.Node{Line: n.line}, nil)
			missing.problem(fmt.Sprintf("try: %s: %s", f.Name, f.Example), "missing")
		}
	}
	return o, true
}

// has says whether the field was written; one written empty was.
func (o object) has(name string) bool {
	_, ok := o.members[name]
	return ok
}

// list reads a sequence; an absent field is an empty one.
func (o object) list(name string) []node {
	n, ok := o.members[name]
	if !ok {
		return nil
	}
	if n.yaml.Kind != yaml.SequenceNode {
		n.problem("start each entry with a dash", "want a list, got %s", describe(n.yaml))
		return nil
	}
	if len(n.yaml.Content) == 0 {
		n.problem("add an entry, or leave the field out", "the list is empty")
	}
	items := make([]node, len(n.yaml.Content))
	for i, item := range n.yaml.Content {
		items[i] = node{item, item.Line, fmt.Sprintf("%s[%d]", n.path, i), n.file}
		n.file.lines[items[i].path] = item.Line
	}
	return items
}

func fieldNames(fields []Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
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
