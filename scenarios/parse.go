package scenarios

import (
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

// Parse reads a scenario file strictly. Its error is a *FileError that holds every problem found.
func Parse(file string, data []byte) (Scenario, error) {
	f := grammar.NewFile(file)
	sc := Scenario{File: file, Source: data, lines: f.Lines()}
	if root, ok := f.Document(data); ok {
		readScenario(f, root, &sc)
		f.Resolve(sc.declared)
	}
	if err := f.Err(); err != nil {
		return Scenario{}, err
	}
	if problems := sc.sanity(); len(problems) > 0 { // not before: a file that is half read would only give more of the same
		return Scenario{}, grammar.NewFileError(problems)
	}
	return sc, nil
}

var (
	topFields = []grammar.Field{
		grammar.Required("apiVersion", "text", APIVersion, "the version of this grammar"),
		grammar.Required("kind", "text", FileKind, "what the file holds"),
		grammar.Required("metadata", "fields", "{name: my-scenario}", "name and description"),
		grammar.Required("spec", "fields", "{load: […], steps: […], expect: […]}", "what to do and what to expect"),
	}
	metadataFields = []grammar.Field{
		grammar.Required("name", "name", "my-scenario", "lower-case letters, digits and dashes"),
		grammar.Optional("description", "text", "Kill a pod. Callers must not notice.", "what it shows"),
	}
	specFields = []grammar.Field{
		grammar.Optional("seed", "whole number", "42", "target choice and load arrivals replay from it; 1 unless given"),
		grammar.Required("load", "list of loads", "[{name: browse, …}]", "what calls the services, from before the steady state to the verdict"),
		grammar.Required("steady", "fields", "{for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}", "the baseline: nothing is broken unless it holds"),
		grammar.Required("steps", "list of steps", "[{name: kill one replica, killPod: {release: userservice}}]", "what is done, in order"),
		grammar.Optional("recover", "fields", "{within: 20s, expect: [{ready: {release: userservice, replicas: 3}}]}", "what must hold again, and how soon"),
		grammar.Required("expect", "list of expectations", "[{availability: {of: browse, atLeast: 99.5%}}]", "what must have held from the load's start to its stop"),
		grammar.Optional("abort", "list of limits", "[{availability: {of: browse, below: 50%, for: 10s}}]", "what stops the run at once"),
	}
)

func readScenario(f *grammar.File, root grammar.Node, sc *Scenario) {
	top, ok := root.Object(topFields)
	if !ok {
		return
	}
	top.Constant("apiVersion", APIVersion)
	top.Constant("kind", FileKind)
	if o, ok := top.Fields("metadata", metadataFields); ok {
		sc.Name = o.Name("name")
		sc.Description = o.Text("description")
	}
	if o, ok := top.Fields("spec", specFields); ok {
		readSpec(f, o, sc)
	}
}

func readSpec(f *grammar.File, o grammar.Object, sc *Scenario) {
	sc.Seed = o.Seed("seed")
	sc.Load = readLoads(o.List("load"), sc.Seed)
	sc.Steps = readSteps(f, o.List("steps"))
	sc.Expect = readExpectations(o.List("expect"))
	sc.Abort = grammar.Each(o.List("abort"), expect.Limits(), "limit")
	if s, ok := o.Fields("steady", steadyFields); ok {
		sc.Steady = Steady{For: s.PositiveDuration("for"), Expect: readExpectations(s.List("expect"))}
	}
	if r, ok := o.Fields("recover", recoverFields); ok {
		sc.Recover = Recover{Within: r.PositiveDuration("within"), Hold: readHold(r), Expect: readExpectations(r.List("expect"))}
	}
}

func readExpectations(items []grammar.Node) []expect.Expectation {
	return grammar.Each(items, expect.Kinds(), "expectation")
}

// readHold reads how long a condition must be true; nil if the file does not say.
func readHold(o grammar.Object) *time.Duration {
	if !o.Has("hold") {
		return nil
	}
	return new(o.Duration("hold", expect.DefaultHold))
}

// declared returns the names that a reference may have. A step may refer only to steps before it.
func (sc Scenario) declared(r grammar.Reference) []string {
	var names []string
	switch r.Kind {
	case grammar.LoadRef:
		for _, l := range sc.Load {
			names = append(names, l.Name)
		}
	case grammar.StepRef:
		for i, s := range sc.Steps {
			if i < r.Entry && action.Find(s.Kind).Undoable() {
				names = append(names, s.Name)
			}
		}
	}
	return names
}
