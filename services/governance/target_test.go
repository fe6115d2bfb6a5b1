package governance

import "testing"

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
		"":                                                        "",
	} {
		if got := hostOf(target); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}
