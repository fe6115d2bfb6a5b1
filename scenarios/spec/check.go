package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Catalog has the names that a scenario may use. It comes from the caller, which knows the charts and the protos.
type Catalog struct {
	// Releases are the releases whose pods can be killed, scaled and counted.
	Releases []string
	// Targets are the services that the load generator can call.
	Targets []string
	// Background are the calls of the loads that the generator runs by itself.
	Background []target.Call
	// Methods returns the full names of the methods that a release serves. It returns none if they are not known.
	Methods func(release string) []string
	// Call checks a method, the fields of its request and the templates in them. It returns nil if all are correct.
	Call func(target.Call) *CallError
}

// CallError is a mistake in one field of a call.
type CallError struct {
	// Field is method, request, or a field of the request such as request.userId.
	Field string
	// Message describes the mistake.
	Message string
	// Remedy is what corrects it. It may be the zero Remedy.
	Remedy remedy.Remedy
}

// Check looks up every name in a scenario: services, methods, request fields, templates, releases and the paths of breakers. Its error is a
// [*grammar.FileError].
func (sc Scenario) Check(known Catalog) error {
	p := &problems{sc: sc}
	for i, l := range sc.Load {
		checkCall(p, fmt.Sprintf("spec.load[%d].call.", i), l.Call, known)
	}
	for i, s := range sc.Steps {
		if a, ok := s.Action.(action.Changer); ok {
			checkRelease(p, sc.ActionPath(i)+".release", a.Changes(), known)
		}
		if a, ok := s.Action.(action.Affecting); ok {
			checkRelease(p, sc.ActionPath(i)+".release", a.Affects(), known)
		}
		if a, ok := s.Action.(action.Matching); ok {
			checkPatterns(p, sc.ActionPath(i)+".", a, known)
		}
	}
	for _, x := range sc.expectations() {
		if about, ok := x.Expectation.(expect.OfPods); ok {
			release, _ := about.Pods()
			checkRelease(p, x.path+".release", release, known)
		}
		if about, ok := x.Expectation.(expect.OfBreaker); ok {
			checkBreakers(p, x.path, about, known)
		}
	}
	if len(p.all) == 0 {
		return nil
	}
	return grammar.NewFileError(p.all)
}

func checkCall(p *problems, at string, c target.Call, known Catalog) {
	if !slices.Contains(known.Targets, c.Service) {
		p.add(at+"service", grammar.Suggest(c.Service, known.Targets), "the load generator cannot call %q", c.Service)
		return
	}
	if wrong := known.Call(c); wrong != nil {
		path := at + wrong.Field
		// If the file omits the field, the problem is reported at its parent.
		for p.sc.lines[path] == 0 && strings.Contains(path, ".") {
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

// checkPatterns finds patterns that no method matches, so that the action would have no effect.
func checkPatterns(p *problems, at string, a action.Matching, known Catalog) {
	service, patterns := a.Matches()
	methods := known.Methods(service)
	for _, pattern := range patterns {
		if len(methods) > 0 && !slices.ContainsFunc(methods, func(m string) bool { return policy.Matches(pattern.Methods, m) }) {
			p.add(at+pattern.Field, grammar.Suggest(pattern.Methods, methods), "%s has no method that matches %q", service, pattern.Methods)
		}
	}
}

// checkBreakers finds breakers that will never exist: the first call of a method creates its breaker.
func checkBreakers(p *problems, path string, b expect.OfBreaker, known Catalog) {
	service, method := b.Callee()
	if b.Caller() != target.Generator {
		// What a service calls depends on its program.
		checkRelease(p, path+".from", b.Caller(), known)
		checkRelease(p, path+".to", service, known)
		return
	}
	if !slices.Contains(known.Targets, service) {
		p.add(path+".to", grammar.Suggest(service, known.Targets), "the load generator cannot call %q, and has no breaker for it", service)
		return
	}
	var called []string
	for _, c := range append(p.sc.calls(), known.Background...) {
		if c.Service == service {
			called = append(called, c.Method)
		}
	}
	switch {
	case len(called) == 0:
		p.add(path+".to", remedy.Advice("add a load that calls it"), "no load calls %s, so that there is no breaker on this path", service)
	case method != "" && !slices.Contains(called, method):
		p.add(path+".method", grammar.Suggest(method, called), "no load calls %s of %s, so that there is no breaker on this path", method, service)
	}
}

func (sc Scenario) calls() []target.Call {
	var out []target.Call
	for _, l := range sc.Load {
		out = append(out, l.Call)
	}
	return out
}
