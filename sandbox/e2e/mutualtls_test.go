//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestMutualTLS_UntrustedClientsAreRefused(t *testing.T) {
	for _, server := range []struct {
		name, namespace string
		port            int
		ask             func(context.Context, *grpc.ClientConn) error
	}{
		{"userservice", charts.ShopNamespace, 8443, func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := userv1.NewUserServiceClient(conn).GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"})
			return err
		}},
		{"jaeger", charts.SystemNamespace, 4317, func(ctx context.Context, conn *grpc.ClientConn) error {
			_, err := collector.NewTraceServiceClient(conn).Export(ctx, &collector.ExportTraceServiceRequest{})
			return err
		}},
	} {
		feature(t, "mutual TLS with "+server.name, func(ctx context.Context, t *testing.T) {
			c := connect(t)
			trusted := identity(ctx, t, c, server.name)
			trusted.ServerName = server.name + "." + server.namespace + ".svc"
			nameless := trusted.Clone()
			nameless.Certificates = nil
			stranger := trusted.Clone()
			stranger.Certificates = []tls.Certificate{selfSigned(t, trusted.Certificates[0])}
			call := func(creds credentials.TransportCredentials) error {
				// Use a new port-forward for each call: when the server resets a connection, the port-forward closes.
				address := forward(ctx, t, c, server.namespace, server.name, server.port)
				ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				return server.ask(ctx, dial(t, address, creds))
			}
			for _, row := range []struct {
				who   string
				creds credentials.TransportCredentials
			}{
				{"plaintext", insecure.NewCredentials()},
				{"no client certificate", credentials.NewTLS(nameless)},
				{"a certificate of another CA with the same names", credentials.NewTLS(stranger)},
			} {
				if err := call(row.creds); err == nil {
					t.Errorf("%s: the call was answered", row.who)
				}
				// A trusted client succeeds, so it was the server that refused the other one.
				if err := call(credentials.NewTLS(trusted)); err != nil {
					t.Errorf("after %s, a trusted client: %v", row.who, err)
				}
			}
			if server.namespace == charts.ShopNamespace {
				log, code, err := shared.run(ctx, "logs", server.name, "--lines", "200")
				if err != nil || code != 0 || !strings.Contains(log, "refused a connection") {
					t.Errorf("the log of %s reports no refusal: %d, %v", server.name, code, err)
				}
			}
		})
	}
}

// selfSigned returns a self-signed certificate with the names of another one.
func selfSigned(t *testing.T, like tls.Certificate) tls.Certificate {
	t.Helper()
	names, err := x509.ParseCertificate(like.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names.Subject.CommonName}, DNSNames: names.DNSNames,
		URIs: append([]*url.URL(nil), names.URIs...), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
