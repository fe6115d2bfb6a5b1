package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// authority is a root certificate and an intermediate, like those of the chart pki. They are valid for the life of a test server.
type authority struct {
	root, intermediate *x509.Certificate
	// key is the key of the intermediate.
	key  *ecdsa.PrivateKey
	last atomic.Int64
}

type identity struct{ cert, key, ca []byte }

func newAuthority() (*authority, error) {
	name := make([]byte, 4)
	// rand.Read never fails.
	_, _ = rand.Read(name)
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{}
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-4 * time.Hour), NotAfter: time.Now().Add(4 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	root := template("pgtest-root-" + hex.EncodeToString(name))
	if a.root, err = sign(root, root, &rootKey.PublicKey, rootKey); err != nil {
		return nil, err
	}
	a.intermediate, err = sign(template("pgtest-intermediate"), a.root, &a.key.PublicKey, rootKey)
	return a, err
}

func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}

// issue makes a certificate like the chart pki does: a common name and a DNS name, valid from a minute ago for an hour, with its chain.
func (a *authority) issue(commonName, dnsName string, edits ...func(*x509.Certificate)) (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1 + a.last.Add(1)), Subject: pkix.Name{CommonName: commonName}, DNSNames: []string{dnsName},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, edit := range edits {
		edit(template)
	}
	leaf, err := sign(template, a.intermediate, &key.PublicKey, a.key)
	if err != nil {
		return identity{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	return identity{
		cert: append(block("CERTIFICATE", leaf.Raw), block("CERTIFICATE", a.intermediate.Raw)...),
		key:  block("EC PRIVATE KEY", keyDER), ca: block("CERTIFICATE", a.root.Raw),
	}, err
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (i identity) write(dir string) error {
	var all []error
	for name, data := range map[string][]byte{"tls.key": i.key, "tls.crt": i.cert, "ca.crt": i.ca} {
		all = append(all, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return errors.Join(all...)
}
