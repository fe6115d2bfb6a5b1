package charts

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

var strictly = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

// TestFields_AreOfTheirKind replaces the validation that the installation skips: an API server drops unknown fields.
func TestFields_AreOfTheirKind(t *testing.T) {
	for _, r := range ours() {
		for _, o := range objects(t, render(t, r, r.Values)) {
			if strings.Contains(o.text, "apiVersion: cert-manager.io/") {
				// Their CRDs have a schema, and cert-manager's webhook validates each object.
				continue
			}
			if _, _, err := strictly.Decode([]byte(o.text), nil, nil); err != nil {
				t.Errorf("%s: %s %s: %v", r.Name, o.Kind, o.Metadata.Name, err)
			}
		}
	}
	const misspelt = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replica: 3}\n"
	if _, _, err := strictly.Decode([]byte(misspelt), nil, nil); err == nil {
		t.Error("a field that no deployment has was not seen")
	}
}
