package governance

import (
	"context"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// Caller returns the identity of the caller of the current call: the SPIFFE ID of its certificate, or the first DNS name of a certificate
// without one. It returns "" in plaintext and for a certificate that identifies no workload.
func Caller(ctx context.Context) string {
	if checked, ok := ctx.Value(callerKey{}).(string); ok {
		return checked
	}
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

// nameOf returns the identity in a certificate. The certificate of an authority identifies no workload, and neither does one with a SPIFFE ID
// and another URI, which X509-SVID forbids.
func nameOf(cert *x509.Certificate) string {
	if cert.IsCA || cert.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return ""
	}
	if slices.ContainsFunc(cert.URIs, func(uri *url.URL) bool { return uri.Scheme == "spiffe" }) {
		id, err := x509svid.IDFromCert(cert)
		if err != nil {
			return ""
		}
		return id.String()
	}
	// Go accepts any text as a DNS name of a certificate, also one that is spelt like a SPIFFE ID.
	if len(cert.DNSNames) > 0 && !strings.ContainsAny(cert.DNSNames[0], "/:") {
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
