package governance

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

const orderID = "spiffe://sandbox.local/ns/shop/sa/orderservice"

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
