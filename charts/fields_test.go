package charts

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

var strictly = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

// TestEveryFieldIsOfItsKind stands for the validation that installing leaves out: an API server drops a field that it does not know.
func TestEveryFieldIsOfItsKind(t *testing.T) {
	for _, r := range ours() {
		for _, o := range objects(t, render(t, r, r.Values)) {
			if strings.Contains(o.text, "apiVersion: cert-manager.io/") {
				continue // their CRDs have a schema, and cert-manager's webhook looks at each
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
