//go:build linux

package speed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/identity"
	"github.com/grpc-sandbox/sandbox/services/control/partners"
)

// host is where everything listens. It is also a DNS name of the certificates, because nginx compares names only as such.
const host = "127.0.0.1"

// must ends the test after an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// mesh is the authority of the workloads.
type mesh struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newMesh(t testing.TB) mesh {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mesh"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return mesh{cert, key}
}

func (m mesh) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(m.cert)
	return pool
}

// folder makes the folder with the certificate of a workload.
func (m mesh) folder(t testing.TB, in, workload string) string {
	t.Helper()
	id, err := url.Parse(identity.Of("sandbox.local", "shop", workload))
	must(t, err)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: workload},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host}, IPAddresses: []net.IP{net.ParseIP(host)}, URIs: []*url.URL{id},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, m.cert, key.Public(), m.key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	folder := filepath.Join(in, workload)
	must(t, os.Mkdir(folder, 0o700))
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}, "ca.crt": {Type: "CERTIFICATE", Bytes: m.cert.Raw}} {
		must(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600))
	}
	return folder
}

// partner stores the authority of the partners where the agent looks for that of a former run, and returns the certificate of a partner.
func partner(t testing.TB, folder string) tls.Certificate {
	t.Helper()
	registry, err := partners.NewRegistry(time.Now())
	must(t, err)
	key := newKey(t)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	issued, _, err := registry.Issue("acme", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}), time.Hour, false, time.Now())
	must(t, err)
	stored, err := registry.Encode()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "partners.crt"), stored["ca.crt"], 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "partners.crl"), stored["ca.crl"], 0o600))
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certificate, err := tls.X509KeyPair(issued, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	must(t, err)
	return certificate
}
