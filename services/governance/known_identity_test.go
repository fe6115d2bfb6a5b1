package governance

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// Reproduces: with an empty server name the name is not checked, where crypto/tls would refuse ("either ServerName or InsecureSkipVerify must
// be specified"). The name is empty for a target without a host (":8443", "passthrough:///:8443", "dns:///:8443").
func TestDial_TargetWithoutHost(t *testing.T) {
	knownfailures.Listed(t)
	ca := newAuthority(t)
	server, _ := identity(t, ca.issue("some-other-service.shop.svc"), nil)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	addr := tcp(t, fake{}, ServerConfig{Identity: server})
	_, port, _ := net.SplitHostPort(addr)
	for _, target := range []string{":" + port, "passthrough:///:" + port, "dns:///:" + port, "127.0.0.1:" + port} {
		conn, err := Dial(target, ClientConfig{Callee: "payments", Identity: client, Log: quiet, Timeout: 2 * time.Second})
		if err != nil {
			t.Log(target, "refused by Dial:", err)
			continue
		}
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
		t.Logf("%s (server name %q): %v", target, hostOf(target), status.Code(err))
		if err == nil {
			t.Error("a server whose certificate names some-other-service was trusted")
		}
		_ = conn.Close()
	}
}

// issueTemplate is issue with changes to the template.
func issueTemplate(t *testing.T, a *authority, change func(*x509.Certificate)) (identityFiles, error) {
	t.Helper()
	a.last++
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(a.last), DNSNames: []string{serverDNS}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return identityFiles{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	return identityFiles{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), ca: a.pem}, nil
}

func uris(t *testing.T, list ...string) (out []*url.URL) {
	for _, s := range list {
		u, err := url.Parse(s)
		must(t, err)
		out = append(out, u)
	}
	return out
}

const orderID = "spiffe://sandbox.local/ns/shop/sa/orderservice"

// Which certificates count as an identity on a list of callers.
func TestCaller_UnusualCertificates(t *testing.T) {
	knownfailures.Listed(t)
	ca := newAuthority(t)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	addr := tcp(t, fake{}, ServerConfig{Identity: server, Policy: policyOf(t, "server: [{callers: {allow: ['"+orderID+"', 'orderservice.shop.svc']}}]")})
	for name, change := range map[string]func(*x509.Certificate){
		"two SPIFFE URIs (X.509-SVID: MUST be rejected), ours first": func(c *x509.Certificate) { c.URIs = uris(t, orderID, "spiffe://evil.example/x") },
		"no SPIFFE URI, a DNS name that is spelt like one":           func(c *x509.Certificate) { c.DNSNames = []string{orderID} },
		"no SPIFFE URI, a DNS name on the list":                      func(c *x509.Certificate) { c.DNSNames = []string{"orderservice.shop.svc"} },
		"SPIFFE URI with a query":                                    func(c *x509.Certificate) { c.URIs = uris(t, orderID+"?x=1") },
		"a CA certificate as leaf":                                   func(c *x509.Certificate) { c.URIs, c.IsCA, c.BasicConstraintsValid = uris(t, orderID), true, true },
	} {
		files, err := issueTemplate(t, ca, change)
		if err != nil {
			t.Logf("%s: cannot be issued by Go: %v", name, err)
			continue
		}
		dir := t.TempDir()
		mount(t, dir, files)
		client, err := NewIdentity(IdentityConfig{Dir: dir, Log: quiet})
		if err != nil {
			t.Logf("%s: not loaded: %v", name, err)
			continue
		}
		conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "x", Identity: client, ServerName: serverDNS, Log: quiet, Timeout: 2 * time.Second})
		must(t, err)
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
		t.Logf("%s: %v", name, status.Code(err))
		if err == nil && name != "no SPIFFE URI, a DNS name on the list" {
			t.Errorf("%s: accepted as orderservice", name)
		}
		_ = conn.Close()
	}
}

// A valid key pair that no peer would accept must not be used: one that is expired, or issued under another authority than ca.crt.
func TestIdentity_UnusablePairMounted(t *testing.T) {
	ca := newAuthority(t)
	metrics := NewMetrics()
	id, dir := identity(t, ca.issue(serverDNS), metrics)
	watch(t, id)
	rejected := func(times float64) func() bool {
		return func() bool { return metric(t, metrics, "sandbox_certificate_reload_errors_total") == times }
	}
	good := id.current.Load().digest
	expired, err := issueTemplate(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	must(t, err)
	mount(t, dir, expired)
	eventually(t, "the expired pair is rejected", rejected(1))
	t.Log("after an expired pair was mounted the good one is kept:", id.current.Load().digest == good)
	if id.current.Load().digest != good {
		t.Error("an expired certificate replaced one that is still good")
	}
	foreign := newAuthority(t).issue(serverDNS)
	foreign.ca = ca.pem
	before := id.current.Load().digest
	mount(t, dir, foreign)
	eventually(t, "the foreign pair is rejected", rejected(2))
	t.Log("after a pair of another authority than ca.crt was mounted the one before is kept:", id.current.Load().digest == before)
	if id.current.Load().digest != before {
		t.Error("a certificate that was not issued under ca.crt replaced a good one")
	}
}

// Rotation of the CA without a bundle, as cert-manager writes ca.crt: each side changes at its own time.
func TestIdentity_RotationWithoutOverlap(t *testing.T) {
	knownfailures.Measure(t)
	before, after := newAuthority(t), newAuthority(t)
	server, serverDir := identity(t, before.issue(serverDNS), nil)
	client, _ := identity(t, before.issue("loadgen.shop.svc"), nil)
	watch(t, server)
	addr := tcp(t, fake{}, ServerConfig{Identity: server})
	call := func() error {
		conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "x", Identity: client, ServerName: serverDNS, Log: quiet, Timeout: 2 * time.Second})
		must(t, err)
		defer conn.Close()
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return err
	}
	must(t, call())
	mount(t, serverDir, after.issue(serverDNS))
	eventually(t, "reloaded", func() bool { return server.current.Load().pair.Leaf.CheckSignatureFrom(after.cert) == nil })
	t.Log("the server has the new authority, the client not yet:", call())
}

// Measures how early a caller is refused. Interceptors run after the whole message was read and decoded.
func TestCallers_LargeRequestRefused(t *testing.T) {
	knownfailures.Measure(t)
	ca := newAuthority(t)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	client, _ := identity(t, ca.issue("stranger.shop.svc"), nil)
	metrics := NewMetrics()
	addr := tcp(t, fake{}, ServerConfig{Identity: server, Metrics: metrics, Policy: policyOf(t, "server: [{callers: {allow: ['"+orderID+"']}}]")})
	conn, err := Dial("passthrough:///"+addr, ClientConfig{Callee: "x", Identity: client, ServerName: serverDNS, Log: quiet, Timeout: 5 * time.Second})
	must(t, err)
	defer conn.Close()
	stub := testv1.NewTestServiceClient(conn)
	_, _ = stub.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	for _, size := range []int{100, 15 << 20} {
		start := time.Now()
		_, err = stub.UnaryCall(context.Background(), &testv1.SimpleRequest{Payload: &testv1.Payload{Body: make([]byte, size)}})
		t.Logf("%d bytes: %s after %s", size, status.Code(err), time.Since(start))
	}
}
