package policy_test

import (
	"errors"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestDecodeNode_LinesAreThoseOfTheDocument(t *testing.T) {
	part := func(text string) *yaml.Node {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		return n.Content[0].Content[3]
	}
	spec := &policyv1.TrafficPolicySpec{}
	locate, err := policy.DecodeNode(part("kind: A\nspec:\n  methods:\n    - deadline:\n        timeout: 1s\n"), spec)
	if err != nil || spec.GetMethods()[0].GetDeadline().GetTimeout().GetSeconds() != 1 {
		t.Fatalf("%v, %v", spec, err)
	}
	if at := locate([]policy.Problem{{Field: "methods[0].deadline.timeout"}}); at[0].Line != 5 {
		t.Errorf("a field at line 5 is at line %d", at[0].Line)
	}
	_, err = policy.DecodeNode(part("kind: A\nspec:\n  method: []\n"), spec)
	var wrong *policy.Error
	if !errors.As(err, &wrong) || wrong.Problems[0].Line != 3 || wrong.Problems[0].Field != "method" {
		t.Errorf("a field that is unknown at line 3: %v", err)
	}
}
