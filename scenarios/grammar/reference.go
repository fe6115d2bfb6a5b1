package grammar

import "slices"

// The kinds of references.
const (
	LoadRef    = "load"
	StepRef    = "earlier, undoable step"
	PartnerRef = "load from partner"
)

// Reference is a name that must be declared elsewhere in the file, such as the load that an expectation is about.
type Reference struct {
	node Node
	// Kind is LoadRef, StepRef or PartnerRef.
	Kind string
	// Name is the name as written.
	Name string
	// Entry is the number of the list entry that contains the reference, as set by [File.Enter].
	Entry int
}

// Refer reads a name that is resolved once the whole file is read.
func (o Object) Refer(field, kind string) string {
	n, s, ok := o.scalar(field, "a name")
	if ok {
		o.file.references = append(o.file.references, Reference{node: n, Kind: kind, Name: s, Entry: o.file.entry})
	}
	return s
}

// Resolve reports every reference whose name is not among the names that declared returns for it.
func (f *File) Resolve(declared func(Reference) []string) {
	for _, r := range f.references {
		if valid := declared(r); !slices.Contains(valid, r.Name) {
			r.node.Problem(Suggest(r.Name, valid), "there is no %s %q", r.Kind, r.Name)
		}
	}
}
