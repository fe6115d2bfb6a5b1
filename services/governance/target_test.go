package governance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestHostOf_Targets(t *testing.T) {
	for target, want := range map[string]string{
		"dns:///userservice-headless.shop.svc:8443":               "userservice-headless.shop.svc",
		"dns:///userservice-headless.shop.svc.cluster.local:8443": "userservice-headless.shop.svc.cluster.local",
		"dns://10.96.0.10/userservice-headless.shop.svc:8443":     "userservice-headless.shop.svc",
		"userservice.prod.svc:8443":                               "userservice.prod.svc",
		"localhost:8443":                                          "localhost",
		"127.0.0.1:8443":                                          "127.0.0.1",
		"users.example.com":                                       "users.example.com",
		"dns:userservice:8443":                                    "userservice",
		"passthrough:///userservice:8443":                         "userservice",
		"[2001:db8::1]:8443":                                      "2001:db8::1",
		":8443":                                                   "",
		"dns:///:8443":                                            "",
		"dns:///":                                                 "",
		"passthrough:///:8443":                                    "",
		"unix:///run/userservice.sock":                            "",
		"unix:userservice.sock":                                   "",
		"unix-abstract:userservice":                               "",
	} {
		scheme, endpoint, err := splitTarget(target, nil)
		if got := hostOf(scheme, endpoint); err != nil || got != want {
			t.Errorf("%s: got %q and %v, want %q", target, got, err, want)
		}
	}
}

func TestSplitTarget_UnknownScheme(t *testing.T) {
	const target = "mine:///users:8443"
	if _, _, err := splitTarget(target, nil); err == nil || !strings.Contains(remedy.Line(err, nil), "the scheme mine; try: set ClientConfig.Resolvers") {
		t.Errorf("without a resolver: %v", err)
	}
	scheme, endpoint, err := splitTarget(target, []resolver.Builder{manual.NewBuilderWithScheme("mine")})
	if err != nil || scheme != "mine" || hostOf(scheme, endpoint) != "users" {
		t.Errorf("with a resolver: %q, %q, %v", scheme, endpoint, err)
	}
	if _, _, err := splitTarget("", nil); err == nil || !strings.Contains(remedy.Line(err, nil), "the target is empty; try: dns:///") {
		t.Errorf("an empty target: %v", err)
	}
	if _, _, err := splitTarget("dns:///%zz:1", nil); err == nil {
		t.Error("a target that is not a URL was accepted")
	}
}
