package main

import (
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

func TestTheCatalogOfServicesHasEveryReleaseOfAService(t *testing.T) {
	var installed, known []string
	for _, r := range sandbox.Releases() {
		if r.Chart == "grpcservice" {
			installed = append(installed, r.Name)
		}
	}
	for _, c := range callables() {
		if len(c.unary()) == 0 {
			t.Errorf("%s has nothing that can be called", c.FullName())
		}
		known = append(known, c.release)
	}
	slices.Sort(installed)
	slices.Sort(known)
	if !slices.Equal(installed, slices.Compact(known)) {
		t.Errorf("installed are %v, and catalog() in services.go knows %v", installed, known)
	}
}

func TestFindMethod(t *testing.T) {
	for _, c := range []struct{ method, release string }{
		{"user.v1.UserService/GetUser", "userservice"},
		{"/user.v1.UserService/GetUser", "userservice"},
		{"loadgen.v1.LoadGenerator/Breakers", "loadgen"}, // which no spelling of its name would tell
	} {
		m, release, err := findMethod(c.method)
		if err != nil || release != c.release {
			t.Errorf("%s: %v at %q, %v; want it at %q", c.method, m, release, err, c.release)
		}
	}
}
