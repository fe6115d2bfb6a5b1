package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxFile is far above any scenario a person writes.
const maxFile = 1 << 20

// Parse reads a scenario file strictly. Its error is a *FileError that holds every problem found.
func Parse(file string, data []byte) (Scenario, error) {
	f := &reading{name: file, lines: map[string]int{}}
	sc := Scenario{File: file, Source: data, lines: f.lines}
	if root, ok := f.document(data); ok {
		f.scenario(root, &sc)
		f.resolve(sc)
		if len(f.problems) == 0 { // what is half read would only give more of the same
			f.problems = sc.nonsense()
		}
	}
	if len(f.problems) > 0 {
		return Scenario{}, newFileError(f.problems)
	}
	return sc, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func (f *reading) document(data []byte) (node, bool) {
	top := node{yaml: &yaml.Node{}, line: 1, file: f}
	if len(data) > maxFile {
		top.problem("split it", "the file is larger than %d bytes", maxFile)
		return top, false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors mark UTF-8 so
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		top.problem("try: sandbox scenarios show pod-kill", "the file is empty")
		return top, false
	case err != nil:
		f.syntax(top, err)
		return top, false
	}
	if !f.last(decoder, top) {
		return top, false
	}
	if len(document.Content) != 1 {
		top.problem("try: sandbox scenarios show pod-kill", "the file is empty")
		return top, false
	}
	top.yaml = document.Content[0]
	top.line = max(1, top.yaml.Line)
	return top, true
}

// last reads to the end of the file, in which only empty documents may follow: a file may end with three dashes.
func (f *reading) last(decoder *yaml.Decoder, top node) bool {
	for {
		var more yaml.Node
		switch err := decoder.Decode(&more); {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			f.syntax(top, err)
			return false
		case len(more.Content) == 1 && more.Content[0].Tag == "!!null":
		default:
			top.line = max(1, more.Line)
			top.problem("one scenario a file: split it", "there is more than one YAML document")
			return false
		}
	}
}

func (f *reading) syntax(top node, err error) {
	message := err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			top.line = line
		}
		message = m[2]
	}
	top.problem("correct the YAML: indent with spaces, quote texts that hold : or {", "not YAML: %s", message)
}

var (
	topFields = []Field{
		{"apiVersion", "text", true, APIVersion, "the version of this grammar"},
		{"kind", "text", true, FileKind, "what the file holds"},
		{"metadata", "fields", true, "{name: my-scenario}", "name and description"},
		{"spec", "fields", true, "{load: […], steps: […], expect: […]}", "what to do and what to expect"},
	}
	metadataFields = []Field{
		{"name", "name", true, "my-scenario", "lower-case letters, digits and dashes"},
		{"description", "text", false, "Kill a pod. Callers must not notice.", "what it shows"},
	}
	specFields = []Field{
		{"seed", "whole number", false, "42", "target choice and load arrivals replay from it; 1 unless given"},
		{"load", "list of loads", true, "[{name: browse, …}]", "what calls the services, from before the steady state to the verdict"},
		{"steady", "fields", true, "{for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}", "the baseline: nothing is broken unless it holds"},
		{"steps", "list of steps", true, "[{name: kill one replica, killPod: {release: userservice}}]", "what is done, in order"},
		{"recover", "fields", false, "{within: 20s, expect: [{ready: {release: userservice, replicas: 3}}]}", "what must hold again, and how soon"},
		{"expect", "list of expectations", true, "[{availability: {of: browse, atLeast: 99.5%}}]", "what must have held from the load's start to its stop"},
		{"abort", "list of limits", false, "[{availability: {of: browse, below: 50%, for: 10s}}]", "what stops the run at once"},
	}
)

func (f *reading) scenario(root node, sc *Scenario) {
	top, ok := root.object(topFields)
	if !ok {
		return
	}
	top.constant("apiVersion", APIVersion)
	top.constant("kind", FileKind)
	if n, ok := top.members["metadata"]; ok {
		if o, ok := n.object(metadataFields); ok {
			sc.Name = o.name("name")
			sc.Description = o.text("description")
		}
	}
	if n, ok := top.members["spec"]; ok {
		if o, ok := n.object(specFields); ok {
			f.spec(o, sc)
		}
	}
}

func (f *reading) spec(o object, sc *Scenario) {
	sc.Seed = o.seed("seed")
	sc.Load = f.loads(o.list("load"), sc.Seed)
	sc.Steps = f.steps(o.list("steps"))
	sc.Expect = expectations(o.list("expect"))
	sc.Abort = aborts(o.list("abort"))
	if n, ok := o.members["steady"]; ok {
		if s, ok := n.object(steadyFields); ok {
			sc.Steady = Steady{For: s.span("for"), Expect: expectations(s.list("expect"))}
		}
	}
	if n, ok := o.members["recover"]; ok {
		if r, ok := n.object(recoverFields); ok {
			sc.Recover = Recover{Within: r.span("within"), Hold: r.hold(), Expect: expectations(r.list("expect"))}
		}
	}
}

func (o object) constant(name, want string) {
	if n, got, ok := o.scalar(name, want); ok && got != want {
		n.problem(fmt.Sprintf("try: %s: %s", name, want), "want %s, got %q", want, got)
	}
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (o object) name(field string) string {
	return read(o, field, "a name", "lower-case letters, digits and dashes, at most 63", "", func(s string) (string, error) {
		if !nameForm.MatchString(s) {
			return "", fmt.Errorf("want a name, got %q", s)
		}
		return s, nil
	})
}
