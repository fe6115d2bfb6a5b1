package governance

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// TestServerIdentity_OfThePolicy checks the certificate of a server against the policy, and against the program and the policy together.
func TestServerIdentity_OfThePolicy(t *testing.T) {
	const shop = "spiffe://sandbox.local/ns/shop/sa/*"
	ca := newAuthority(t)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	for _, c := range []struct {
		sentence        string
		ids             []string
		policy, program string
		// reason is why the handshake is refused; empty if it is not.
		reason string
	}{
		{"the server has the identity", []string{users}, "[{serverIdentity: {allow: ['" + users + "']}}]", "", ""},
		{"one of several", []string{users}, "[{serverIdentity: {allow: ['" + orders + "', '" + shop + "']}}]", "", ""},
		{"another identity", []string{orders}, "[{serverIdentity: {allow: ['" + users + "']}}]", "", "identity"},
		{"the last entry applies", []string{users}, "[{serverIdentity: {allow: ['" + orders + "']}}, {serverIdentity: {allow: ['" + users + "']}}]", "", ""},
		{"an empty list", []string{users}, "[{serverIdentity: {allow: ['" + orders + "']}}, {serverIdentity: {}}]", "", ""},
		{"that of another callee", []string{users}, "[{callee: other, serverIdentity: {allow: ['" + orders + "']}}]", "", ""},
		{"no identity", nil, "[{serverIdentity: {allow: ['spiffe://*']}}]", "", "identity"},
		{"the policy does not loosen what the program requires", []string{orders}, "[{serverIdentity: {allow: ['" + shop + "']}}]", users, "identity"},
		{"both accept the server", []string{users}, "[{serverIdentity: {allow: ['" + shop + "']}}]", users, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			server, _ := identity(t, ca.issue(serverDNS, c.ids...), nil)
			metrics, log := NewMetrics(), &bytes.Buffer{}
			stub := wire(t, fake{}, ServerConfig{Identity: server}, ClientConfig{Identity: client, ServerName: serverDNS, ServerIdentity: c.program, Metrics: metrics,
				Policy: policyOf(t, "connections: "+c.policy), Log: slog.New(slog.NewTextHandler(log, nil))})
			_, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			if (err != nil) != (c.reason != "") {
				t.Error(err)
			}
			if c.reason == "" {
				return
			}
			if !strings.Contains(err.Error(), "identity") || metric(t, metrics, "sandbox_handshakes_refused_total", "side", "client", "callee", "callee", "reason", c.reason) < 1 {
				t.Errorf("not counted with the reason %s: %v", c.reason, err)
			}
		})
	}
}

// TestServerIdentity_FollowsThePolicy checks that a change applies to the connections that are made after it.
func TestServerIdentity_FollowsThePolicy(t *testing.T) {
	ca := newAuthority(t)
	client, _ := identity(t, ca.issue("loadgen.shop.svc"), nil)
	server, _ := identity(t, ca.issue(serverDNS, users), nil)
	p := policyOf(t, "")
	stub := wire(t, fake{}, ServerConfig{Identity: server, MaxAge: 200 * time.Millisecond, MaxAgeGrace: 100 * time.Millisecond},
		ClientConfig{Identity: client, ServerName: serverDNS, Policy: p, Breakers: neverOpen()})
	answers := func(want codes.Code) {
		t.Helper()
		eventually(t, "the answer is "+want.String(), func() bool {
			_, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			return status.Code(err) == want
		})
	}
	answers(codes.OK)
	change(t, p, "connections: [{serverIdentity: {allow: ['"+orders+"']}}]")
	answers(codes.Unavailable)
	change(t, p, "")
	answers(codes.OK)
}

// TestServerIdentity_Plaintext checks that a policy which requires an identity is not ignored in plaintext, whenever it comes.
func TestServerIdentity_Plaintext(t *testing.T) {
	const required = "connections: [{serverIdentity: {allow: ['spiffe://*']}}]"
	if _, err := Dial("x:1", ClientConfig{Callee: "x", Policy: policyOf(t, required)}); err == nil || !strings.Contains(remedy.Line(err, nil), "try: ") {
		t.Errorf("Dial: %v", err)
	}
	p, metrics := policyOf(t, ""), NewMetrics()
	stub := wire(t, fake{}, ServerConfig{}, ClientConfig{Policy: p, Metrics: metrics})
	change(t, p, required)
	if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "has no identity") {
		t.Errorf("a call under the new policy: %v", err)
	}
	if got := metric(t, metrics, "sandbox_handshakes_refused_total", "reason", "identity"); got < 1 {
		t.Errorf("%v refused handshakes are counted", got)
	}
}
