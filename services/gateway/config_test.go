package gateway

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestConfigFromEnv_GoodAndBadValues(t *testing.T) {
	const user = "userservice=userservice.shop.svc:8443=userservice-headless.shop.svc:8443"
	service := Service{"userservice", "userservice.shop.svc:8443", "userservice-headless.shop.svc:8443"}
	for _, c := range []struct {
		name string
		env  map[string]string
		want Config
		err  string
	}{
		{"defaults", map[string]string{"SERVICES": user}, Config{":8443", "/run/gateway", "/usr/sbin/nginx", []Service{service}}, ""},
		{"everything", map[string]string{"SERVICES": user + ", orderservice=o:1=p:2", "GATEWAY_ADDR": "127.0.0.1:1", "GATEWAY_DIR": "/d", "NGINX": "/n"},
			Config{"127.0.0.1:1", "/d", "/n", []Service{service, {"orderservice", "o:1", "p:2"}}}, ""},
		{"no services", nil, Config{}, `reading SERVICES: "" is not a name and two addresses`},
		{"one address", map[string]string{"SERVICES": "userservice=a:1"}, Config{}, "is not a name and two addresses"},
		{"an address without a port", map[string]string{"SERVICES": "userservice=a:1=b"}, Config{}, "is not a name and two addresses"},
		{"an address without a host", map[string]string{"SERVICES": "userservice=:1=b:1"}, Config{}, "is not a name and two addresses"},
		{"an unknown service", map[string]string{"SERVICES": "stockservice=a:1=b:1"}, Config{}, `does not know the methods of "stockservice"`},
		{"a bad address of its own", map[string]string{"SERVICES": user, "GATEWAY_ADDR": "8443"}, Config{}, "reading GATEWAY_ADDR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ConfigFromEnv(func(key string) string { return c.env[key] })
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got the error %v, want one with %q", err, c.err)
				}
				return
			}
			must(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMethods_AuditIsNotForPartners(t *testing.T) {
	all := methods("orderservice")
	if slices.ContainsFunc(all, func(m nginx.Method) bool { return strings.HasSuffix(m.Name, "/Audit") }) || len(all) == 0 {
		t.Errorf("partners may call %v", all)
	}
}

func TestAdmit_RejectedConfigurationRestoresThePartners(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600))
	}
	p, err := policy.New(&policyv1.EffectivePolicy{})
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	// The program rejects every configuration.
	a := &agent{cfg: Config{Listen: ":8443", Folder: folder}, log: log, server: nginx.New("false", folder, log), ctx: t.Context(), trust: 1, addresses: map[string][]string{},
		lookup:  func(context.Context, string) ([]string, error) { return nil, nil },
		process: &governance.Process{Config: governance.Config{TLSDir: folder}, Policy: p, Events: governance.NewEvents(10), Log: log}, ready: func() { t.Error("the agent is ready") }}
	must(t, os.WriteFile(a.file(authoritiesFile), []byte("former authorities"), 0o600))
	must(t, os.WriteFile(a.file(revocationsFile), []byte("former revocations"), 0o600))
	err = a.admit(&controlv1.PartnerTrust{Version: 2, AuthoritiesPem: []byte("bad"), RevocationsPem: []byte("bad")})
	if err == nil || !strings.Contains(err.Error(), "nginx rejects the configuration") || a.trust != 1 {
		t.Errorf("version %d is in force: %v", a.trust, err)
	}
	for name, want := range map[string]string{authoritiesFile: "former authorities", revocationsFile: "former revocations"} {
		if got, err := os.ReadFile(a.file(name)); err != nil || string(got) != want {
			t.Errorf("%s has %q, want %q; error: %v", name, got, want, err)
		}
	}
}
