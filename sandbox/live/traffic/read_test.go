package traffic

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

const header = "apiVersion: sandbox.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: limit}\n"

const selector = "  selector: {matchLabels: {app.kubernetes.io/name: userservice}}\n"

func TestRead_LinesAreThoseOfTheFile(t *testing.T) {
	text := "# Two policies.\n" + header + "spec:\n" + selector + "  maxRequestsPerSecond: 50\n---\n" +
		"apiVersion: sandbox.dev/v1alpha1\nkind: TrafficPolicy\nmetadata:\n  name: deadline\n  labels: {team: a}\nstatus: {}\nspec:\n" + selector +
		"  methods:\n    - method: user.v1.UserService/GetUser\n      deadline:\n        timeout: 250ms\n---\n# nothing\n"
	docs, err := Read("limit.yaml", []byte(text), compile.KindTrafficPolicy)
	if err != nil || len(docs) != 2 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	if diff := cmp.Diff(map[string]int{"selector.matchLabels": 6, "maxRequestsPerSecond": 7}, docs[0].Lines); diff != "" {
		t.Errorf("first document (-want +got):\n%s", diff)
	}
	want := map[string]int{"selector.matchLabels": 16, "methods[0].method": 18, "methods[0].deadline.timeout": 20}
	if diff := cmp.Diff(want, docs[1].Lines); diff != "" {
		t.Errorf("second document (-want +got):\n%s", diff)
	}
	if docs[1].Name != "deadline" || docs[1].Labels["team"] != "a" || docs[0].Policy.GetMaxRequestsPerSecond() != 50 {
		t.Errorf("got %+v", docs)
	}
	spec, err := Spec(docs[1].Policy)
	if want := `{"methods":[{"deadline":{"timeout":"250ms"},"method":"user.v1.UserService/GetUser"}],"selector":{"matchLabels":{"app.kubernetes.io/name":"userservice"}}}`; err != nil || string(spec) != want {
		t.Errorf("specification %s, %v", spec, err)
	}
}

func TestRead_Problems(t *testing.T) {
	for _, c := range []struct{ sentence, text, want string }{
		{"an unknown field", header + "spec:\n  selector:\n    labels: {}\n", "f.yaml:6: spec.selector.labels: is unknown\n  try: matchLabels"},
		{"a value out of range", header + "spec:\n" + selector + "  maxRequestsPerSecond: 0\n",
			"f.yaml:6: spec.maxRequestsPerSecond: must be from 0.000001 to 1000000000, not 0"},
		{"a value that is no duration", header + "spec:\n" + selector + "  methods:\n    - deadline:\n        timeout: 250\n",
			"f.yaml:8: spec.methods[0].deadline.timeout: \"250\" is not a duration\n  try: 250ms"},
		{"no selector", header + "spec: {maxRequestsPerSecond: 5}\n",
			"f.yaml:4: spec.selector: is missing\n  try: selector: {matchLabels: {app.kubernetes.io/name: userservice}}"},
		{"another kind", "apiVersion: sandbox.dev/v1alpha1\nkind: Fault\nmetadata: {name: a}\nspec:\n" + selector,
			"f.yaml:2: kind: \"Fault\" is not TrafficPolicy\n  try: TrafficPolicy"},
		{"another namespace", "apiVersion: sandbox.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: a, namespace: default}\nspec:\n" + selector,
			"f.yaml:3: metadata.namespace: \"default\" is not the namespace of the shop\n  try: shop"},
		{"no name", "apiVersion: v1\nkind: TrafficPolicy\nspec:\n" + selector,
			"f.yaml:1: apiVersion: \"v1\" is not sandbox.dev/v1alpha1\n  try: sandbox.dev/v1alpha1\n" +
				"f.yaml:1: metadata.name: \"\" is not a name of lower-case letters, digits and dashes\n  try: mine"},
		{"an unknown field of the object", header + "specs: {}\n", "f.yaml:4: specs: is unknown\n  try: apiVersion, kind, metadata, spec"},
		{"a repeated field", header + "kind: TrafficPolicy\n", "f.yaml:4: kind: is repeated"},
		{"no specification", header, "f.yaml:1: spec: is missing\n  try: " + exampleOf(compile.KindTrafficPolicy)},
		{"the same name twice", header + "spec:\n" + selector + "---\n" + header + "spec:\n" + selector,
			"f.yaml:9: metadata.name: \"limit\" is also the name of the document at line 1"},
		{"no YAML", "a: [", "f.yaml:1: did not find expected node content"},
		{"a list", "- a\n", "f.yaml:1: must be a group of fields"},
		{"nothing", "# nothing\n", "f.yaml:1: has no document\n  try: " + exampleOf(compile.KindTrafficPolicy)},
	} {
		_, err := Read("f.yaml", []byte(c.text), compile.KindTrafficPolicy)
		var wrong *FileError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", c.sentence, err)
			continue
		}
		if diff := cmp.Diff(c.want, wrong.Text()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
}

func TestRead_ExamplesAreValid(t *testing.T) {
	for _, kind := range []string{compile.KindTrafficPolicy, compile.KindFault} {
		if docs, err := Read("example.yaml", []byte(exampleOf(kind)), kind); err != nil || len(docs) != 1 {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
