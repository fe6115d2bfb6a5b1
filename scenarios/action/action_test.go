package action

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

// TestKinds_ResolveChangesNothing ranges over the catalog: each kind is decoded from the examples of its fields and planned.
func TestKinds_ResolveChangesNothing(t *testing.T) {
	t.Parallel()
	for _, k := range Kinds() {
		text := ""
		for _, f := range k.Fields {
			text += f.Name + ": " + f.Example + "\n"
		}
		file := grammar.NewFile("example.yaml")
		n, _ := file.Document([]byte(text))
		o, _ := n.Object(k.Fields)
		a := k.Decode(o)
		if err := file.Err(); err != nil {
			t.Errorf("%s: the examples of its fields are no action: %v", k.Name, err)
			continue
		}
		f := newFake("a", "b", "c")
		e, err := a.Resolve(t.Context(), f.context(true, State{}))
		if err != nil || e.Detail == "" || a.String() == "" {
			t.Errorf("%s: %+v, %v", k.Name, e, err)
		}
		if len(f.did) > 0 {
			t.Errorf("%s: resolving did %q", k.Name, f.did)
		}
		if (e.Undo != nil) != k.Undoable() {
			t.Errorf("%s: undoable %t, its undo is %v", k.Name, k.Undoable(), e.Undo)
		}
		if found := Find(k.Name); found.Name != k.Name {
			t.Errorf("%s: found %q", k.Name, found.Name)
		}
	}
	if Find("nonsense").Undoable() {
		t.Error("an action that does not exist can be undone")
	}
}
