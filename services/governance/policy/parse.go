package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// maxBytes bounds what is read from a mounted file. A ConfigMap cannot be larger.
const maxBytes = 1 << 20

// Parse parses YAML or JSON. Fields are written as in the JSON form of the proto, durations as 250ms or 1m30s, and enums in lower case
// without their prefix. An unknown, repeated or invalid field is an error; a *Error names the lines and fields.
func Parse(text []byte) (*policyv1.EffectivePolicy, error) {
	p := &policyv1.EffectivePolicy{}
	r, err := read(text, p)
	if err != nil {
		return nil, err
	}
	if problems := Check(p); len(problems) > 0 {
		return nil, &Error{Problems: r.located(problems)}
	}
	return p, nil
}

// Decode reads YAML or JSON into a message of the policy's grammar, such as policyv1.TrafficPolicySpec, with the same rules as Parse. It does not
// check values, which Check does. locate sets the lines of problems that a later check finds.
func Decode(text []byte, into proto.Message) (locate func([]Problem) []Problem, err error) {
	r, err := read(text, into)
	if err != nil {
		return nil, err
	}
	return r.located, nil
}

// DecodeNode is Decode for a part of a larger YAML document. The lines are those of the document.
func DecodeNode(n *yaml.Node, into proto.Message) (locate func([]Problem) []Problem, err error) {
	r := newReader()
	r.message(into.ProtoReflect(), n, "")
	if len(r.problems) > 0 {
		return nil, &Error{Problems: r.problems}
	}
	return r.located, nil
}

func read(text []byte, into proto.Message) (*reader, error) {
	r := newReader()
	if len(text) > maxBytes {
		return nil, &Error{Problems: []Problem{{Field: "file", Why: fmt.Sprintf("has %d bytes, more than %d", len(text), maxBytes)}}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		// A file with nothing but comments has the defaults.
		return r, nil
	case err != nil:
		return nil, syntaxError(text, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Error{Problems: []Problem{{Line: more.Line, Field: "file", Why: "has more than one document"}}}
	}
	r.message(into.ProtoReflect(), document.Content[0], "")
	if len(r.problems) > 0 {
		return nil, &Error{Problems: r.problems}
	}
	return r, nil
}

// located sets the lines of problems, and what the text says there.
func (r *reader) located(problems []Problem) []Problem {
	for i := range problems {
		problems[i].Line = r.lineOf(problems[i].Field)
		r.complete(&problems[i])
	}
	return problems
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntaxError returns the error of the YAML package, which names no line if it is the first one.
func syntaxError(text []byte, err error) error {
	problem := Problem{Line: 1, Field: "file", Why: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		problem.Line, _ = strconv.Atoi(m[1])
		problem.Why = strings.TrimPrefix(err.Error(), m[0])
	}
	problem.Why = "is not YAML: " + problem.Why
	if indentedByTab.Match(text) {
		problem.Try = "spaces for indentation, because YAML does not permit tabs"
	}
	return &Error{Problems: []Problem{problem}}
}

var indentedByTab = regexp.MustCompile(`(?m)^ *\t`)

// reader fills a message from a YAML tree and remembers the line of each field, and the text of each single value.
type reader struct {
	lines    map[string]int
	values   map[string]string
	problems []Problem
}

func newReader() *reader { return &reader{lines: map[string]int{}, values: map[string]string{}} }

func (r *reader) wrong(n *yaml.Node, field, why string, args ...any) {
	if field == "" {
		field = "file"
	}
	r.problems = append(r.problems, Problem{Line: n.Line, Field: field, Why: fmt.Sprintf(why, args...)})
}

// wrongTry records a problem together with a value that would be accepted.
func (r *reader) wrongTry(n *yaml.Node, field, why, try string) {
	r.wrong(n, field, "%s", why)
	r.problems[len(r.problems)-1].Try = try
}

// lineOf returns the line of a field, or of the nearest enclosing one.
func (r *reader) lineOf(field string) int {
	for field != "" {
		if line, ok := r.lines[field]; ok {
			return line
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return 1
}

func (r *reader) message(m protoreflect.Message, n *yaml.Node, at string) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		// For example "hang:" without a value.
		return
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, at, "must be a group of fields")
		return
	}
	seen := map[protoreflect.Name]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		if at != "" {
			name = at + "." + key.Value
		}
		r.lines[name] = key.Line
		fd := m.Descriptor().Fields().ByJSONName(key.Value)
		if fd == nil {
			fd = m.Descriptor().Fields().ByName(protoreflect.Name(key.Value))
		}
		switch {
		case fd == nil:
			r.wrongTry(key, name, "is unknown", fieldNames(m.Descriptor()))
		case seen[fd.Name()]:
			r.wrong(key, name, "is repeated")
		case fd.ContainingOneof() != nil && m.WhichOneof(fd.ContainingOneof()) != nil:
			r.wrong(key, name, "cannot be together with %s", m.WhichOneof(fd.ContainingOneof()).JSONName())
		default:
			seen[fd.Name()] = true
			r.field(m, fd, value, name)
		}
	}
}

func (r *reader) field(m protoreflect.Message, fd protoreflect.FieldDescriptor, n *yaml.Node, at string) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.wrong(n, at, "is an alias; write it out")
	case fd.IsMap():
		r.strings(m.Mutable(fd).Map(), n, at)
	case fd.IsList():
		if n.Kind != yaml.SequenceNode {
			r.wrong(n, at, "must be a list")
			return
		}
		list := m.Mutable(fd).List()
		for i, item := range n.Content {
			r.item(list, fd, item, fmt.Sprintf("%s[%d]", at, i))
		}
	case isDuration(fd) || fd.Message() == nil:
		if v, ok := r.scalar(fd, n, at); ok {
			m.Set(fd, v)
		}
	default:
		r.message(m.Mutable(fd).Message(), n, at)
	}
}

func (r *reader) item(list protoreflect.List, fd protoreflect.FieldDescriptor, n *yaml.Node, at string) {
	r.lines[at] = n.Line
	switch {
	case n.Kind == yaml.AliasNode:
		r.wrong(n, at, "is an alias; write it out")
	case fd.Message() != nil:
		r.message(list.AppendMutable().Message(), n, at)
	default:
		if v, ok := r.scalar(fd, n, at); ok {
			list.Append(v)
		}
	}
}

func (r *reader) strings(m protoreflect.Map, n *yaml.Node, at string) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, at, "must be a group of names and values")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if value.Kind != yaml.ScalarNode {
			r.wrong(value, at+"."+key.Value, "must be text")
			continue
		}
		r.lines[at+"."+key.Value] = key.Line
		m.Set(protoreflect.ValueOfString(key.Value).MapKey(), protoreflect.ValueOfString(value.Value))
	}
}

func fieldNames(d protoreflect.MessageDescriptor) string {
	var names []string
	for i := range d.Fields().Len() {
		names = append(names, d.Fields().Get(i).JSONName())
	}
	return strings.Join(names, ", ")
}
