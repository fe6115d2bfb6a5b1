package catalog

import (
	"testing"
)

func TestProviders_HaveMethods(t *testing.T) {
	if len(Providers()) == 0 {
		t.Error("no services")
	}
	for _, s := range Providers() {
		if len(s.Services) == 0 {
			t.Errorf("%s serves no proto", s.Name)
		}
	}
	for _, c := range Services() {
		if len(c.Unary()) == 0 {
			t.Errorf("%s has no unary method", c.FullName())
		}
	}
}

func TestServing_NamesTheRelease(t *testing.T) {
	for service, want := range map[string]string{"user.v1.UserService": "userservice", "loadgen.v1.LoadGenerator": "loadgen", "no.such.Service": ""} {
		if got := Serving(service); got != want {
			t.Errorf("%s: %q, want %q", service, got, want)
		}
	}
}
