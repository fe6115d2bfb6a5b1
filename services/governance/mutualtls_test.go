package governance

import (
	"crypto/tls"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

const serverDNS = "userservice.shop.svc"

func TestMutualTLS_RefusesBadPeers(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	server, _ := identity(t, ours.issue(serverDNS), nil)
	client, _ := identity(t, ours.issue("loadgen.shop.svc"), nil)
	stranger, _ := identity(t, theirs.issue("loadgen.shop.svc"), nil)
	// forger trusts our authority, but presents a certificate of another one.
	forger := client.ClientTLS(serverDNS)
	forger.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger.current.Load().pair, nil }

	noCertificate := client.ClientTLS(serverDNS)
	noCertificate.GetClientCertificate = nil
	old := client.ClientTLS(serverDNS)
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	with := func(c *tls.Config) []grpc.DialOption {
		return []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(c))}
	}
	for _, c := range []struct {
		name   string
		server *Identity
		client ClientConfig
		want   codes.Code
	}{
		{"both certificates are good", server, ClientConfig{Identity: client, ServerName: serverDNS}, codes.OK},
		{"the client speaks plaintext", server, ClientConfig{}, codes.Unavailable},
		{"the client presents no certificate", server, ClientConfig{Options: with(noCertificate)}, codes.Unavailable},
		{"the client's certificate was issued by another authority", server, ClientConfig{Options: with(forger)}, codes.Unavailable},
		{"the client does not trust the server's authority", server, ClientConfig{Identity: stranger, ServerName: serverDNS}, codes.Unavailable},
		{"the server's certificate is for another service", server, ClientConfig{Identity: client, ServerName: "orderservice.shop.svc"}, codes.Unavailable},
		{"the client requires no name", server, ClientConfig{Options: with(client.ClientTLS(""))}, codes.Unavailable},
		{"the client only speaks TLS 1.2", server, ClientConfig{Options: with(old)}, codes.Unavailable},
		{"the server speaks plaintext", nil, ClientConfig{Identity: client, ServerName: serverDNS}, codes.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			stub := wire(t, fake{}, ServerConfig{Identity: c.server}, c.client)
			if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
