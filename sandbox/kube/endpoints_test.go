package kube

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

func TestWithoutEndpoints_NamesServicesWithoutReadyPods(t *testing.T) {
	yes, no := true, false
	service := func(name string, selector map[string]string) runtime.Object {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", Labels: map[string]string{ReleaseLabel: "users"}}, Spec: corev1.ServiceSpec{Selector: selector}}
	}
	endpoints := func(of string, ready ...*bool) runtime.Object {
		s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: of + "-1", Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: of}}}
		for _, r := range ready {
			s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: r}})
		}
		return s
	}
	some := map[string]string{"app": "users"}
	for _, c := range []struct {
		sentence string
		objects  []runtime.Object
		want     []string
	}{
		{"a ready endpoint", []runtime.Object{service("users", some), endpoints("users", &no, &yes)}, nil},
		{"an endpoint without the condition is ready", []runtime.Object{service("users", some), endpoints("users", nil)}, nil},
		{"no ready endpoint", []runtime.Object{service("users", some), endpoints("users", &no)}, []string{"users"}},
		{"a selector that selects nothing", []runtime.Object{service("users", some), endpoints("users")}, []string{"users"}},
		{"no slice at all", []runtime.Object{service("users", some)}, []string{"users"}},
		{"the endpoints of another service", []runtime.Object{service("users", some), endpoints("users-headless", &yes)}, []string{"users"}},
		{"a service without a selector", []runtime.Object{service("users", nil)}, nil},
	} {
		got, err := (&Client{Kube: fake.NewClientset(c.objects...)}).WithoutEndpoints(t.Context(), "shop", ReleaseLabel+"=users")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.sentence, got, err, c.want)
		}
	}
}
