package traffic

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// documentOf returns the only document of a file with a specification.
func documentOf(t *testing.T, spec string) Document {
	t.Helper()
	docs, err := Read("limit.yaml", []byte(header+"spec:\n"+selector+spec), compile.KindTrafficPolicy)
	if err != nil {
		t.Fatal(err)
	}
	return docs[0]
}

// objectOf returns an object that was applied from a file with a specification.
func objectOf(t *testing.T, spec string) api.TrafficPolicy {
	t.Helper()
	o, err := documentOf(t, spec).Object()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestCompare_FieldByField(t *testing.T) {
	stored := objectOf(t, "  maxRequestsPerSecond: 50\n  methods: [{method: a.B/C, deadline: {timeout: 1s}}]\n")
	bad := api.TrafficPolicy{Spec: []byte(`{"nothing":1}`)}
	for _, c := range []struct {
		sentence string
		stored   *api.TrafficPolicy
		spec     string
		want     Diff
	}{
		{"an object that does not exist", nil, "  maxRequestsPerSecond: 50\n", Diff{Change: Created, Fields: []FieldDiff{
			{Field: "selector.matchLabels", After: "{app.kubernetes.io/name: userservice}", At: "limit.yaml:5"}, {Field: "maxRequestsPerSecond", After: "50", At: "limit.yaml:6"}}}},
		{"the same in another notation", &stored, "  methods:\n  - {deadline: {timeout: 1000ms}, method: a.B/C}\n  maxRequestsPerSecond: 50.0\n", Diff{Change: Unchanged, Fields: []FieldDiff{}}},
		{"a changed, a removed and an added field", &stored, "  maxRequestsPerSecond: 60\n  methods: [{method: a.B/C, bulkhead: {maxConcurrent: 4}}]\n", Diff{Change: Changed, Fields: []FieldDiff{
			{Field: "maxRequestsPerSecond", Before: "50", After: "60", At: "limit.yaml:6"}, {Field: "methods[0].deadline.timeout", Before: "1s"},
			{Field: "methods[0].bulkhead.maxConcurrent", After: "4", At: "limit.yaml:7"}}}},
		{"a stored object that cannot be read", &bad, "", Diff{Change: Changed, Fields: []FieldDiff{{Field: "spec", Before: `{"nothing":1}`},
			{Field: "selector.matchLabels", After: "{app.kubernetes.io/name: userservice}", At: "limit.yaml:5"}}}},
	} {
		c.want.Kind, c.want.Name = compile.KindTrafficPolicy, "limit"
		if diff := cmp.Diff(c.want, Compare(documentOf(t, c.spec), c.stored)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
}

func TestLineOf_OnlyOfTheAppliedSpecification(t *testing.T) {
	o := objectOf(t, "  maxRequestsPerSecond: 50\n")
	spec, err := o.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if at := lineOf(o, spec, "maxRequestsPerSecond"); at != "limit.yaml:6" {
		t.Errorf("an applied field is at %q", at)
	}
	if at := lineOf(o, spec, "shed.minLimit"); at != "" {
		t.Errorf("a field that is not there is at %q", at)
	}
	// Another program changed the specification.
	*spec.MaxRequestsPerSecond = 60
	if at := lineOf(o, spec, "maxRequestsPerSecond"); at != "" {
		t.Errorf("a field that was changed since is at %q", at)
	}
}
