package charts

import (
	"os"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// The API server accepts the custom resource definitions of the control plane: their schemas are structural, and their rules compile and cost no more than
// it allows.
func TestControl_DefinitionsAreValid(t *testing.T) {
	text, err := os.ReadFile("testdata/control.golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	found := 0
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		if !strings.Contains(document, "\nkind: CustomResourceDefinition\n") {
			continue
		}
		found++
		definition, internal := &v1.CustomResourceDefinition{}, &apiextensions.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict([]byte(document), definition); err != nil {
			t.Fatal(err)
		}
		scheme.Default(definition)
		if err := scheme.Convert(definition, internal, nil); err != nil {
			t.Fatal(err)
		}
		internal.Status.StoredVersions = []string{"v1alpha1"}
		for _, err := range validation.ValidateCustomResourceDefinition(t.Context(), internal) {
			t.Errorf("%s: %v", definition.Name, err)
		}
	}
	if found != 2 {
		t.Errorf("%d definitions, want 2", found)
	}
}
