package governance

import (
	"context"
	"crypto/x509"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Caller is the identity of who made the call being served: the SPIFFE URI of its certificate, else its first DNS name, else "" in
// plaintext.
func Caller(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return ""
	}
	return nameOf(info.State.PeerCertificates[0])
}

func nameOf(cert *x509.Certificate) string {
	for _, uri := range cert.URIs {
		if uri.Scheme == "spiffe" {
			return uri.String()
		}
	}
	if len(cert.DNSNames) > 0 {
		return cert.DNSNames[0]
	}
	return ""
}

// Name is the identity this process shows now, written as Caller does.
func (id *Identity) Name() string {
	if id == nil {
		return ""
	}
	return nameOf(id.current.Load().pair.Leaf)
}
