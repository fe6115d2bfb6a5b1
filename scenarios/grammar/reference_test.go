package grammar

import "testing"

func TestResolve_ReportsUndeclaredNames(t *testing.T) {
	t.Parallel()
	f := NewFile("x.yaml")
	n, _ := f.Document([]byte("[{step: a}, {step: b}, {load: l}]"))
	fields := []Field{Optional("step", "", "", ""), Optional("load", "", "", "")}
	for i, item := range (Object{members: map[string]Node{"list": n}}).List("list") {
		f.Enter(i)
		o, _ := item.Object(fields)
		o.Refer("step", StepRef)
		o.Refer("load", LoadRef)
	}
	f.Resolve(func(r Reference) []string {
		if r.Kind == LoadRef {
			return []string{"l"}
		}
		return []string{"a", "b"}[:r.Entry]
	})
	want := "x.yaml:1: [0].step: there is no earlier, undoable step \"a\"\nx.yaml:1: [1].step: there is no earlier, undoable step \"b\""
	if got := problemsOf(f); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
