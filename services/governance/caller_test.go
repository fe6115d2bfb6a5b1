package governance

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

const (
	orders  = "spiffe://sandbox.local/ns/shop/sa/orderservice"
	users   = "spiffe://sandbox.local/ns/shop/sa/userservice"
	visitor = "spiffe://sandbox.local/ns/elsewhere/sa/orderservice"
)

func TestCallers_List(t *testing.T) {
	ca := newAuthority(t)
	self, _ := identity(t, ca.issue("callee", users), nil)
	for _, c := range []struct {
		name, caller, text string
		want               codes.Code
	}{
		{"no list", visitor, "", codes.OK},
		{"a listed caller", orders, "server: [{callers: {allow: ['" + orders + "']}}]", codes.OK},
		{"a caller in a listed namespace", orders, "server: [{callers: {allow: ['spiffe://sandbox.local/ns/shop/sa/*']}}]", codes.OK},
		{"a caller in another namespace", visitor, "server: [{callers: {allow: ['spiffe://sandbox.local/ns/shop/sa/*']}}]", codes.PermissionDenied},
		{"a star does not match a slash", orders, "server: [{callers: {allow: ['spiffe://sandbox.local/*']}}]", codes.PermissionDenied},
		{"an empty list", orders, "server: [{callers: {}}]", codes.PermissionDenied},
		{"a list for another method", visitor, "server: [{method: 'a.B/*', callers: {allow: ['" + orders + "']}}]", codes.OK},
		{"without a SPIFFE identity the DNS name counts", "", "server: [{callers: {allow: [client.shop.svc]}}]", codes.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ids []string
			if c.caller != "" {
				ids = append(ids, c.caller)
			}
			id, _ := identity(t, ca.issue("client.shop.svc", ids...), nil)
			var log bytes.Buffer
			metrics := NewMetrics()
			var seen string
			client := wireWith(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				seen = Caller(ctx)
				return &testv1.SimpleResponse{}, nil
			}, stream: func(grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
				return nil
			}}, ServerConfig{Identity: self, Policy: policyOf(t, c.text), Metrics: metrics, Log: NewLog(&log, slog.LevelInfo)},
				ClientConfig{Identity: id, Callee: "callee", ServerName: "callee", Log: quiet})
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			if status.Code(err) != c.want {
				t.Error("unary:", err)
			}
			stream, openErr := client.FullDuplexCall(t.Context())
			must(t, openErr)
			if _, err := stream.Recv(); c.want == codes.OK != (status.Code(err) != codes.PermissionDenied) {
				t.Error("streaming:", err)
			}
			if c.want == codes.OK {
				if want := c.caller; want != "" && seen != want {
					t.Errorf("the handler sees %q, want %q", seen, want)
				}
				return
			}
			if refusal.Reason(err) != refusal.ReasonCallerNotAllowed || metric(t, metrics, "sandbox_refused_total", "reason", refusal.ReasonCallerNotAllowed) != 2 {
				t.Error("not counted:", err)
			}
			var line struct{ Msg, Caller, Server, Method string }
			must(t, json.NewDecoder(&log).Decode(&line))
			if line.Msg != "refused a caller" || line.Caller != c.caller || line.Server != users || line.Method != unaryMethod {
				t.Errorf("logged %+v", line)
			}
		})
	}
}

func TestCaller_UnusualCertificates(t *testing.T) {
	ca := newAuthority(t)
	const dns = "orderservice.shop.svc"
	for _, c := range []struct {
		sentence string
		change   func(*x509.Certificate)
		want     string
	}{
		{"a SPIFFE ID", func(c *x509.Certificate) { c.URIs = uris(t, orders) }, orders},
		{"no SPIFFE ID", func(c *x509.Certificate) { c.DNSNames = []string{dns} }, dns},
		{"no SPIFFE ID, but another URI", func(c *x509.Certificate) { c.DNSNames, c.URIs = []string{dns}, uris(t, "https://example.com/x") }, dns},
		{"two SPIFFE IDs", func(c *x509.Certificate) { c.URIs = uris(t, orders, "spiffe://evil.example/x") }, ""},
		{"a SPIFFE ID after another URI", func(c *x509.Certificate) { c.URIs = uris(t, "https://example.com/x", orders) }, ""},
		{"a SPIFFE ID with a query", func(c *x509.Certificate) { c.URIs = uris(t, orders+"?x=1") }, ""},
		{"a SPIFFE ID with a port", func(c *x509.Certificate) { c.URIs = uris(t, "spiffe://sandbox.local:80/x") }, ""},
		{"a DNS name that is spelt like a SPIFFE ID", func(c *x509.Certificate) { c.DNSNames = []string{orders} }, ""},
		{"neither a URI nor a DNS name", func(c *x509.Certificate) { c.DNSNames = nil }, ""},
		{"an authority", func(c *x509.Certificate) { c.URIs, c.IsCA, c.BasicConstraintsValid = uris(t, orders), true, true }, ""},
		{"a key that may sign certificates", func(c *x509.Certificate) { c.URIs, c.KeyUsage = uris(t, orders), x509.KeyUsageCertSign }, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			files, err := issueTemplate(t, ca, c.change)
			must(t, err)
			client, _ := identity(t, files, nil)
			if got := client.Name(); got != c.want {
				t.Errorf("got the identity %q, want %q", got, c.want)
			}
		})
	}
}

// TestCallers_UnusualCertificates checks what a list of callers does with identities over the wire.
func TestCallers_UnusualCertificates(t *testing.T) {
	ca := newAuthority(t)
	server, _ := identity(t, ca.issue(serverDNS), nil)
	for _, c := range []struct {
		sentence string
		change   func(*x509.Certificate)
		want     codes.Code
	}{
		{"a SPIFFE ID", func(c *x509.Certificate) { c.URIs = uris(t, orders) }, codes.OK},
		{"two SPIFFE IDs", func(c *x509.Certificate) { c.URIs = uris(t, orders, "spiffe://evil.example/x") }, codes.PermissionDenied},
		{"a DNS name that is spelt like a SPIFFE ID", func(c *x509.Certificate) { c.DNSNames = []string{orders} }, codes.PermissionDenied},
		{"an authority", func(c *x509.Certificate) { c.URIs, c.IsCA, c.BasicConstraintsValid = uris(t, orders), true, true }, codes.PermissionDenied},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			files, err := issueTemplate(t, ca, c.change)
			must(t, err)
			client, _ := identity(t, files, nil)
			stub := wire(t, fake{}, ServerConfig{Identity: server, Policy: policyOf(t, "server: [{callers: {allow: ['spiffe://sandbox.local/ns/shop/sa/*']}}]")},
				ClientConfig{Identity: client, ServerName: serverDNS})
			if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestCaller_Plaintext(t *testing.T) {
	client := wire(t, fake{}, ServerConfig{Policy: policyOf(t, "server: [{callers: {allow: ['*', '*/*']}}]")}, ClientConfig{})
	if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Error("a caller without an identity was admitted:", err)
	}
	if got := Caller(t.Context()); got != "" {
		t.Errorf("a context without a call has the caller %q", got)
	}
}
