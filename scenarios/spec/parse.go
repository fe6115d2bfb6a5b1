package spec

import (
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

// Parse reads a scenario file strictly. Its error is a [*grammar.FileError] with every problem in it.
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
	// This check comes last, because it would repeat the problems of a file that was not read completely.
	if problems := sc.sanity(); len(problems) > 0 {
		return Scenario{}, grammar.NewFileError(problems)
	}
	return sc, nil
}

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
	case grammar.PartnerRef:
		for _, l := range sc.Load {
			if partner := l.Partner(); partner != "" && !slices.Contains(names, partner) {
				names = append(names, partner)
			}
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
