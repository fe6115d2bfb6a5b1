package governance

import (
	"context"
	"crypto/x509"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Caller returns the identity of the caller of the current call: the SPIFFE URI of its certificate, otherwise its first DNS name, and "" in
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

// Name returns the identity that this process presents now, in the form that Caller returns.
func (id *Identity) Name() string {
	if id == nil {
		return ""
	}
	return nameOf(id.current.Load().pair.Leaf)
}
