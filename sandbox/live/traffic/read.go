package traffic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Document is an object in a file.
type Document struct {
	// File is the name of the file, as given to Read.
	File string
	// Line is where the document starts.
	Line int
	// Kind, Name and Labels are those of the object.
	Kind, Name string
	Labels     map[string]string
	// Policy or Fault is the specification; the other one is nil.
	Policy *policyv1.TrafficPolicySpec
	Fault  *policyv1.FaultSpec
	// Lines has the line of each field of the specification.
	Lines map[string]int
}

// spec returns the specification.
func (d Document) spec() proto.Message {
	if d.Fault != nil {
		return d.Fault
	}
	return d.Policy
}

// Spec returns a specification as the API server stores it.
func Spec(m proto.Message) (json.RawMessage, error) {
	text, err := sigsyaml.YAMLToJSON([]byte(policy.MessageText(m)))
	if err != nil {
		return nil, fmt.Errorf("writing a specification: %w", err)
	}
	return text, nil
}

// Read reads a file with one or several YAML documents, each of them an object of one kind. It is strict: a field that is unknown, repeated or not
// valid is an error. The error is a *FileError with every problem of the file.
func Read(file string, text []byte, kind string) ([]Document, error) {
	r := &fileReader{file: file, kind: kind}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.syntax(err)
			break
		}
		if root := n.Content[0]; root.Tag != "!!null" {
			r.document(root)
		}
	}
	if len(r.documents) == 0 && len(r.problems) == 0 {
		r.wrong(1, "", "has no document", exampleOf(kind))
	}
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, &FileError{r.problems}
	}
	return r.documents, nil
}

// exampleOf returns a small object of a kind in one line.
func exampleOf(kind string) string {
	spec := "maxRequestsPerSecond: 50"
	if kind == compile.KindFault {
		spec = "leaseSeconds: 10, abort: {code: UNAVAILABLE}"
	}
	return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: mine}, spec: {selector: {matchLabels: {%s: userservice}}, %s}}",
		api.GroupVersion, kind, compile.ServiceLabel, spec)
}

type fileReader struct {
	file, kind string
	documents  []Document
	problems   []Problem
}

func (r *fileReader) wrong(line int, field, why, try string) {
	r.problems = append(r.problems, Problem{File: r.file, Problem: policy.Problem{Line: line, Field: field, Why: why, Try: try}})
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func (r *fileReader) syntax(err error) {
	line, why := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		why = strings.TrimPrefix(err.Error(), m[0])
	}
	r.wrong(line, "", why, "")
}

// fields calls known for each field of a mapping. A field without an entry is a problem, except those in ignored.
func (r *fileReader) fields(n *yaml.Node, at string, known map[string]func(value *yaml.Node, at string), ignored ...string) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n.Line, strings.TrimSuffix(at, "."), "must be a group of fields", "")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read := known[key.Value]
		switch {
		case slices.Contains(ignored, key.Value):
		case read == nil:
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			r.wrong(key.Line, at+key.Value, "is unknown", strings.Join(names, ", "))
		case seen[key.Value]:
			r.wrong(key.Line, at+key.Value, "is repeated", "")
		default:
			seen[key.Value] = true
			read(value, at+key.Value)
		}
	}
}

// document reads one object. What the API server adds to an object that was read from it is ignored.
func (r *fileReader) document(n *yaml.Node) {
	d := Document{File: r.file, Line: n.Line, Kind: r.kind}
	var version, kind string
	var spec *yaml.Node
	lines := map[string]int{}
	text := func(into *string) func(*yaml.Node, string) {
		return func(value *yaml.Node, at string) {
			lines[at] = value.Line
			if value.Kind != yaml.ScalarNode {
				r.wrong(value.Line, at, "must be text", "")
			}
			*into = value.Value
		}
	}
	before := len(r.problems)
	namespace := charts.ShopNamespace
	drop := func(*yaml.Node, string) {}
	r.fields(n, "", map[string]func(*yaml.Node, string){
		"apiVersion": text(&version), "kind": text(&kind), "spec": func(value *yaml.Node, _ string) { spec = value },
		"metadata": func(value *yaml.Node, at string) {
			r.fields(value, at+".", map[string]func(*yaml.Node, string){
				"name": text(&d.Name), "namespace": text(&namespace), "annotations": drop,
				"labels": func(value *yaml.Node, at string) {
					if err := value.Decode(&d.Labels); err != nil {
						r.wrong(value.Line, at, "must be a group of names and values", "")
					}
				},
			}, "creationTimestamp", "generation", "resourceVersion", "uid", "managedFields")
		},
	}, "status")
	if len(r.problems) > before {
		return
	}
	// A field that is missing is missing in the whole document.
	place := func(field string) int { return cmp.Or(lines[field], n.Line) }
	r.header(place, version, kind, d.Name, namespace)
	if spec == nil {
		r.wrong(n.Line, "spec", "is missing", exampleOf(r.kind))
	} else {
		r.spec(&d, spec)
	}
	r.documents = append(r.documents, d)
}

// header checks what is not the specification. place returns the line of a field.
func (r *fileReader) header(place func(field string) int, version, kind, name, namespace string) {
	if version != api.GroupVersion.String() {
		r.wrong(place("apiVersion"), "apiVersion", fmt.Sprintf("%q is not %s", version, api.GroupVersion), api.GroupVersion.String())
	}
	if kind != r.kind {
		r.wrong(place("kind"), "kind", fmt.Sprintf("%q is not %s", kind, r.kind), r.kind)
	}
	if bad := validation.NameIsDNSSubdomain(name, false); len(bad) > 0 {
		r.wrong(place("metadata.name"), "metadata.name", fmt.Sprintf("%q is not a name of lower-case letters, digits and dashes", name), "mine")
	}
	if namespace != charts.ShopNamespace {
		r.wrong(place("metadata.namespace"), "metadata.namespace", fmt.Sprintf("%q is not the namespace of the shop", namespace), charts.ShopNamespace)
	}
	for _, other := range r.documents {
		if other.Name == name {
			r.wrong(place("metadata.name"), "metadata.name", fmt.Sprintf("%q is also the name of the document at line %d", name, other.Line), "")
		}
	}
}

func (r *fileReader) spec(d *Document, n *yaml.Node) {
	if r.kind == compile.KindFault {
		d.Fault = &policyv1.FaultSpec{}
	} else {
		d.Policy = &policyv1.TrafficPolicySpec{}
	}
	locate, err := policy.DecodeNode(n, d.spec())
	var found *policy.Error
	switch {
	case errors.As(err, &found):
	case err != nil:
		r.wrong(n.Line, "spec", err.Error(), "")
		return
	default:
		found = &policy.Error{Problems: locate(policy.Check(d.spec()))}
		d.Lines = map[string]int{}
		for _, leaf := range Leaves(d.spec()) {
			d.Lines[leaf.Field] = locate([]policy.Problem{{Field: leaf.Field}})[0].Line
		}
	}
	for _, p := range found.Problems {
		field := "spec"
		if p.Field != "" && p.Field != "file" {
			field += "." + p.Field
		}
		if p.Field == "selector" || p.Field == "selector.matchLabels" {
			p.Try = cmp.Or(p.Try, fmt.Sprintf("selector: {matchLabels: {%s: userservice}}", compile.ServiceLabel))
		}
		r.wrong(max(p.Line, n.Line), field, p.Why, p.Try)
	}
}
