package main

import (
	"testing"
)

func TestProviders_HaveMethods(t *testing.T) {
	if len(providers()) == 0 {
		t.Error("no services")
	}
	for _, s := range providers() {
		if len(s.Services) == 0 {
			t.Errorf("%s serves no proto", s.Name)
		}
	}
	for _, c := range callables() {
		if len(c.unary()) == 0 {
			t.Errorf("%s has no unary method", c.FullName())
		}
	}
}

func TestFindMethod_WithItsRelease(t *testing.T) {
	for _, c := range []struct{ method, release string }{
		{"user.v1.UserService/GetUser", "userservice"},
		{"/user.v1.UserService/GetUser", "userservice"},
		// The name of the release does not follow from that of the service.
		{"loadgen.v1.LoadGenerator/GetLoad", "loadgen"},
	} {
		m, release, err := findMethod(c.method)
		if err != nil || release != c.release {
			t.Errorf("%s: %v at %q, %v; want it at %q", c.method, m, release, err, c.release)
		}
	}
}

func TestServing_NamesTheRelease(t *testing.T) {
	for service, want := range map[string]string{"user.v1.UserService": "userservice", "loadgen.v1.LoadGenerator": "loadgen", "no.such.Service": ""} {
		if got := serving(service); got != want {
			t.Errorf("%s: %q, want %q", service, got, want)
		}
	}
}
