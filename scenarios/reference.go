package scenarios

import "slices"

// A reference is a name that must have been declared elsewhere in the file.
type reference struct {
	node
	kind string // aLoad, anEarlierStep
	name string
	step int // how many steps come before it; a step may refer only to those
}

// refer reads a name to be looked up once the whole file is read.
func (o object) refer(field, kind string) string {
	n, s, ok := o.scalar(field, "a name")
	if ok {
		o.file.references = append(o.file.references, reference{node: n, kind: kind, name: s, step: o.file.step})
	}
	return s
}

// resolve reports every reference to what is not there.
func (f *reading) resolve(sc Scenario) {
	for _, r := range f.references {
		valid := declared(sc, r)
		if !slices.Contains(valid, r.name) {
			r.problem(Suggest(r.name, valid), "there is no %s %q", r.kind, r.name)
		}
	}
}

const (
	aLoad         = "load"
	anEarlierStep = "earlier, undoable step"
)

func declared(sc Scenario, r reference) []string {
	var names []string
	switch r.kind {
	case aLoad:
		for _, l := range sc.Load {
			names = append(names, l.Name)
		}
	case anEarlierStep:
		for i, s := range sc.Steps {
			if i < r.step && undoable(s.Kind) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}
