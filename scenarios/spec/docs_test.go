package spec

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSchema(&b); err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asData(t *testing.T, text []byte) any {
	t.Helper()
	var data any
	if err := yaml.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWriteSchema_AcceptsLegalFiles(t *testing.T) {
	s := compiledSchema(t)
	files, err := filepath.Glob("../library/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "../testdata/cases/false-recovery.yaml", "../testdata/cases/heal-before-kill.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asData(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := s.Validate(asData(t, []byte(legal))); err != nil {
		t.Error(err)
	}
}

func TestWriteSchema_RefusesWhatParseRefuses(t *testing.T) {
	s := compiledSchema(t)
	for _, c := range []struct{ old, new string }{
		{"kind: Scenario", "kind: Story"},
		{"  name: mine", "  title: mine"},
		{"count: 1", "count: many"},
		{"count: 1", "cuont: 1"},
		{"rate: 120/m", "rate: 120"},
		{"rate: 120/m", "rate: 120/h"},
		{"atLeast: 99.9%", "atLeast: 0.999"},
		{"quantile: 0.99", "quantile: 99"},
		{"visits: [closed, open]", "visits: [closed, opened]"},
		{"for: 10s}", "for: 10 seconds}"},
		{"heal: {step: away}", "after: 1s"},
		{"heal: {step: away}", "heal: {step: away}\n      wait: {for: 1s}"},
		{"state: open}, within: 20s", "state: open}, ready: {release: a, replicas: 1}, within: 20s"},
		{"atLeast: 99.9%}", "atLeast: 99.9%, side: server}"},
		{"from: loadgen\n", "from: orderservice\n"},
	} {
		text := strings.Replace(legal, c.old, c.new, 1)
		if text == legal {
			t.Fatalf("no edit: %s", c.old)
		}
		if _, err := Parse("mine.yaml", []byte(text)); err == nil {
			t.Errorf("the decoder accepts %s", c.new)
		}
		if err := s.Validate(asData(t, []byte(text))); err == nil {
			t.Errorf("the schema accepts %s", c.new)
		}
	}
}

// TestTypeSchema_KnowsEveryType walks all catalogs, so that a new type is not accepted unchecked.
func TestTypeSchema_KnowsEveryType(t *testing.T) {
	special := []string{"list of loads", "list of steps", "list of expectations", "list of limits", "one expectation and within"}
	lists := [][]grammar.Field{topFields, metadataFields, specFields, loadFields, callFields, steadyFields, stepFields, waitForFields, recoverFields}
	for _, k := range action.Kinds() {
		lists = append(lists, k.Fields)
	}
	for _, k := range expect.Kinds() {
		lists = append(lists, k.Fields)
	}
	for _, k := range expect.Limits() {
		lists = append(lists, k.Fields)
	}
	for _, f := range slices.Concat(lists...) {
		if reflect.DeepEqual(grammar.TypeSchema(f.Type), grammar.Schema{}) && !slices.Contains(special, f.Type) {
			t.Errorf("field %s has the type %q, which the schema does not know", f.Name, f.Type)
		}
	}
}
