package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// authority is a certificate authority that lives as long as a server.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last atomic.Int64
}

type identity struct{ cert, key, ca []byte }

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pgtest"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// issue makes a certificate as the chart pki does: a common name and a DNS name.
func (a *authority) issue(commonName, dnsName string) (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1 + a.last.Add(1)), Subject: pkix.Name{CommonName: commonName}, DNSNames: []string{dnsName},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: a.cert.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return identity{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return identity{cert: block("CERTIFICATE", der), key: block("EC PRIVATE KEY", keyDER), ca: block("CERTIFICATE", a.cert.Raw)}, err
}

func (i identity) write(dir string) error {
	var all []error
	for name, data := range map[string][]byte{"tls.key": i.key, "tls.crt": i.cert, "ca.crt": i.ca} {
		all = append(all, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return errors.Join(all...)
}
