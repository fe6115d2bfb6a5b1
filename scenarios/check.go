package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

// Catalog is what a scenario may name. Its owner knows the charts and the protos; the engine does not.
type Catalog struct {
	Releases   []string              // whose pods can be killed, scaled and counted
	Targets    []string              // the services that the load generator can call
	Background Call                  // what the generator calls by itself
	Call       func(Call) *CallError // checks a method, the fields of its request and the templates in them; nil: all is well
}

// CallError is what is wrong with one field of a call.
type CallError struct {
	Field   string // method, request, request.userId
	Message string
	Remedy  string
}

// Check looks up every name in a scenario: services, methods, request fields, templates, releases and the paths of breakers. Its error is a
// *FileError.
func (sc Scenario) Check(known Catalog) error {
	p := &problems{sc: sc}
	for i, l := range sc.Load {
		checkCall(p, fmt.Sprintf("spec.load[%d].call.", i), l.Call, known)
	}
	for i, s := range sc.Steps {
		if a, ok := s.Action.(changer); ok {
			checkRelease(p, fmt.Sprintf("spec.steps[%d].%s.release", i, s.Kind), a.changes(), known)
		}
	}
	for _, x := range sc.expectations() {
		switch about := x.Expectation.(type) {
		case aboutRelease:
			checkRelease(p, x.path+".release", about.release(), known)
		case breaker:
			checkPath(p, x.path, about, known)
		}
	}
	if len(p.all) == 0 {
		return nil
	}
	return grammar.NewFileError(p.all)
}

func checkCall(p *problems, at string, c Call, known Catalog) {
	if !slices.Contains(known.Targets, c.Service) {
		p.add(at+"service", grammar.Suggest(c.Service, known.Targets), "the load generator cannot call %q", c.Service)
		return
	}
	if wrong := known.Call(c); wrong != nil {
		path := at + wrong.Field
		for p.sc.lines[path] == 0 && strings.Contains(path, ".") { // a field that the file leaves out
			path = path[:strings.LastIndex(path, ".")]
		}
		p.add(path, wrong.Remedy, "%s", wrong.Message)
	}
}

func checkRelease(p *problems, path, release string, known Catalog) {
	if !slices.Contains(known.Releases, release) {
		p.add(path, grammar.Suggest(release, known.Releases), "there is no release %q", release)
	}
}

// checkPath finds breakers that will never be there: a breaker is made by the first call of its method.
func checkPath(p *problems, path string, b breaker, known Catalog) {
	if !slices.Contains(known.Targets, b.To) {
		p.add(path+".to", grammar.Suggest(b.To, known.Targets), "the load generator cannot call %q, and has no breaker for it", b.To)
		return
	}
	var called []string
	for _, c := range append(p.sc.calls(), known.Background) {
		if c.Service == b.To {
			called = append(called, c.Method)
		}
	}
	switch {
	case len(called) == 0:
		p.add(path+".to", "add a load that calls it", "no load calls %s, so that there is no breaker on this path", b.To)
	case b.Method != "" && !slices.Contains(called, b.Method):
		p.add(path+".method", grammar.Suggest(b.Method, called), "no load calls %s of %s, so that there is no breaker on this path", b.Method, b.To)
	}
}

func (sc Scenario) calls() []Call {
	var out []Call
	for _, l := range sc.Load {
		out = append(out, l.Call)
	}
	return out
}
