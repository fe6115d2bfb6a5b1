package traffic

import (
	"slices"

	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// The changes that applying a document makes.
const (
	Created   = "created"
	Changed   = "changed"
	Unchanged = "unchanged"
)

// Diff is what applying a document would change.
type Diff struct {
	// Kind and Name are those of the document.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Change is created, changed or unchanged.
	Change string `json:"change"`
	// Fields are the fields that differ; all that are set if the object does not exist.
	Fields []FieldDiff `json:"fields"`
}

// FieldDiff is a field that differs. Before or After is empty if the field is not set.
type FieldDiff struct {
	// Field is the path of the field in the specification. Before and After are its values in one line.
	Field  string `json:"field"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// At is file:line of the field in the file; empty for a field that is not there.
	At string `json:"at,omitempty"`
}

// Compare returns what applying a document would change in an object; nil if there is none.
func Compare(d Document, stored *api.TrafficPolicy) Diff {
	diff := Diff{Kind: d.Kind, Name: d.Name, Change: Unchanged, Fields: []FieldDiff{}}
	var before []Leaf
	if stored == nil {
		diff.Change = Created
	} else {
		before = leavesStored(stored)
	}
	after := Leaves(d.spec())
	for _, old := range before {
		if i := indexOf(after, old.Field); i < 0 {
			diff.Fields = append(diff.Fields, FieldDiff{Field: old.Field, Before: old.Value})
		} else if after[i].Value != old.Value {
			diff.Fields = append(diff.Fields, FieldDiff{Field: old.Field, Before: old.Value, After: after[i].Value, At: d.at(old.Field)})
		}
	}
	for _, leaf := range after {
		if indexOf(before, leaf.Field) < 0 {
			diff.Fields = append(diff.Fields, FieldDiff{Field: leaf.Field, After: leaf.Value, At: d.at(leaf.Field)})
		}
	}
	if stored != nil && len(diff.Fields) > 0 {
		diff.Change = Changed
	}
	return diff
}

// leavesStored returns the fields of a stored object. A specification that cannot be read counts as one field.
func leavesStored(o *api.TrafficPolicy) []Leaf {
	spec, err := o.Decode()
	if err != nil && len(Leaves(spec)) == 0 {
		return []Leaf{{"spec", string(o.Spec)}}
	}
	return Leaves(spec)
}

func indexOf(all []Leaf, field string) int {
	return slices.IndexFunc(all, func(l Leaf) bool { return l.Field == field })
}

func (d Document) at(field string) string {
	return position(d.File, d.Lines[field])
}
