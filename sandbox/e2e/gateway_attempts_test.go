//go:build e2e

package e2e

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/services/gateway/attempts"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestGateway_RefusesAttempts(t *testing.T) {
	feature(t, "attempts to misuse the gateway", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		target := attempted(ctx, t, c)
		results := attempts.Run(ctx, target, attempts.All())
		// The log of the gateway has a line for each request.
		log, code, err := shared.run(ctx, "logs", charts.Gateway, "--lines", "10000")
		if err != nil || code != 0 {
			t.Errorf("logs ended with %d, %v", code, err)
		}
		for _, r := range results {
			out := r.Outcome
			if r.Err != nil || out.Text != r.Attempt.Want || out.HasHTML() {
				t.Errorf("%s: the outcome is %q, want %q; error: %v\n%s", r.Attempt.Name, out.Text, r.Attempt.Want, r.Err, out.Body)
			}
			if out.Reason != "" && !logged(log, out) {
				t.Errorf("%s: the access log has no line with the id %q and the reason %s", r.Attempt.Name, out.RequestID, out.Reason)
			}
		}
		if out, err := attempts.All()[0].Do(ctx, target); err != nil || out.Text != attempts.All()[0].Want {
			t.Errorf("a valid call after all attempts: %s, %v", out.Text, err)
		}
	})
}

// logged reports whether a line of the log has the id and the reason of an answer.
func logged(log string, out attempts.Outcome) bool {
	for line := range strings.Lines(log) {
		if out.RequestID != "" && strings.Contains(line, out.RequestID) && strings.Contains(line, out.Reason) {
			return true
		}
	}
	return false
}

// attempted returns the gateway of the cluster with certificates of all kinds. The partners are revoked when the test ends.
func attempted(ctx context.Context, t *testing.T, c *live.Cluster) attempts.Target {
	t.Helper()
	address, err := sandbox.GatewayAddress(c.Folders, c.Name)
	if err != nil || address == "" {
		t.Fatalf("the gateway has the address %q: %v", address, err)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := c.Kube.Secret(ctx, charts.SystemNamespace, "sandbox-partners")
	if err != nil {
		t.Fatal(err)
	}
	authority, err := tls.X509KeyPair(data["ca.crt"], data["ca.key"])
	if err != nil {
		t.Fatal(err)
	}
	mesh, err := c.Kube.KeyPair(ctx, charts.ShopNamespace, "cli-tls")
	if err != nil {
		t.Fatal(err)
	}
	valid, roots := addPartner(ctx, t, c, "valid")
	other, _ := addPartner(ctx, t, c, "other")
	revoked, _ := addPartner(ctx, t, c, "revoked")
	if n, err := c.RevokePartner(ctx, revoked.Leaf.Subject.CommonName); err != nil || n != 1 {
		t.Fatalf("%d certificates were revoked: %v", n, err)
	}
	certificates, err := attempts.Forge(authority.Leaf, authority.PrivateKey.(crypto.Signer), valid)
	if err != nil {
		t.Fatal(err)
	}
	certificates[attempts.Valid], certificates[attempts.Other], certificates[attempts.Revoked], certificates[attempts.Mesh] = valid, other, revoked, mesh
	request, err := proto.Marshal(&userv1.GetUserRequest{UserId: "u-1"})
	if err != nil {
		t.Fatal(err)
	}
	return attempts.Target{Address: address, ServerName: host, Roots: roots, Certificates: certificates, Unary: "user.v1.UserService/GetUser",
		Stream: "user.v1.UserService/Chat", Hidden: "order.v1.OrderService/Audit", Request: request, Get: "/v1/users/u-1", Post: "/v1/users"}
}

// addPartner adds a partner until the test ends.
func addPartner(ctx context.Context, t *testing.T, c *live.Cluster, role string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	name := fmt.Sprintf("attempts-%s-%d", role, time.Now().UnixNano())
	made, err := c.NewPartner(ctx, name, time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.RevokePartner(context.WithoutCancel(ctx), name); err != nil {
			t.Error(err)
		}
	})
	certificate, err := tls.X509KeyPair(made.CertificatePEM, made.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(made.RootsPEM) {
		t.Fatal("the trust bundle has no certificate")
	}
	return certificate, roots
}
