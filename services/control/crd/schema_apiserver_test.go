package crd

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	fieldpath "k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// definition returns a custom resource definition whose spec has a schema, as the API server reads it.
func definition(t *testing.T, spec *v1.JSONSchemaProps) *apiextensions.CustomResourceDefinition {
	t.Helper()
	crd := &v1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "things.sandbox.dev"},
		Spec: v1.CustomResourceDefinitionSpec{
			Group: "sandbox.dev", Scope: v1.NamespaceScoped,
			Names: v1.CustomResourceDefinitionNames{Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList"},
			Versions: []v1.CustomResourceDefinitionVersion{{Name: "v1alpha1", Served: true, Storage: true, Schema: &v1.CustomResourceValidation{
				OpenAPIV3Schema: &v1.JSONSchemaProps{Type: "object", Properties: map[string]v1.JSONSchemaProps{"spec": *spec}}}}},
		},
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	scheme.Default(crd)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(crd, internal, nil); err != nil {
		t.Fatal(err)
	}
	internal.Status.StoredVersions = []string{"v1alpha1"}
	return internal
}

// The API server accepts the schemas: they are structural, and their rules compile and cost no more than it allows.
func TestSchema_IsAcceptedByTheAPIServer(t *testing.T) {
	for _, name := range []protoreflect.Name{"TrafficPolicySpec", "FaultSpec", "ServerRule", "ClientRule", "Fault", "Connection"} {
		for _, err := range crdvalidation.ValidateCustomResourceDefinition(t.Context(), definition(t, schemaOf(t, name))) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// admission is what the API server does with an object.
type admission struct {
	schema     validation.SchemaValidator
	structural *schema.Structural
	rules      *cel.Validator
}

func admissionOf(t *testing.T, spec *v1.JSONSchemaProps) admission {
	t.Helper()
	whole := definition(t, spec).Spec.Validation.OpenAPIV3Schema
	validator, _, err := validation.NewSchemaValidator(whole)
	if err != nil {
		t.Fatal(err)
	}
	structural, err := schema.NewStructural(whole)
	if err != nil {
		t.Fatal(err)
	}
	return admission{validator, structural, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// refuse returns the paths of the problems of a spec, as the reader writes them. complete is false if the API server has not evaluated the rules in CEL,
// because of another problem.
func (a admission) refuse(t rapid.TB, spec string) (paths []string, complete bool) {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(`{"spec": `+string(raw)+`}`), &object); err != nil {
		t.Fatal(err)
	}
	errs := validation.ValidateCustomResource(nil, object, a.schema)
	complete = !slices.ContainsFunc(errs, func(err *fieldpath.Error) bool {
		return slices.Contains([]fieldpath.ErrorType{fieldpath.ErrorTypeNotSupported, fieldpath.ErrorTypeRequired, fieldpath.ErrorTypeTooLong,
			fieldpath.ErrorTypeTooMany, fieldpath.ErrorTypeTypeInvalid}, err.Type)
	})
	if complete {
		more, _ := a.rules.Validate(context.Background(), nil, a.structural, object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, more...)
	}
	for _, err := range errs {
		if err.Field == "<nil>" {
			// A rule that cannot be evaluated, because a value has the wrong type, which is another error.
			continue
		}
		paths = append(paths, strings.TrimPrefix(strings.TrimPrefix(err.Field, "spec"), "."))
	}
	return distinct(paths), complete
}

// inMap matches the path of an entry of a map. Problems of keys are at the map in the API server.
var inMap = regexp.MustCompile(`\b(metadata|matchLabels)[.\[].*`)

func distinct(paths []string) []string {
	for i := range paths {
		paths[i] = inMap.ReplaceAllString(paths[i], "$1")
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
