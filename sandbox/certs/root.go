// Package certs makes and replaces the certificates of a running sandbox without a failed call.
//
// A root signs one intermediate, and the intermediate signs the certificate of every workload. cert-manager issues and renews both; this package
// makes the root. Processes trust the roots in one bundle, which is mounted next to their own certificate. Renewing the intermediate does not
// change what processes trust. A root can only be replaced in a certain order: see [Rotation].
package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	// backdate makes a root valid on nodes whose clock is behind this machine's.
	backdate = time.Hour
)

// Root is a root certificate with its private key, both also as PEM.
type Root struct {
	// Cert and CertPEM are the same certificate. KeyPEM is its private key in PKCS #8.
	Cert            *x509.Certificate
	CertPEM, KeyPEM []byte
}

// NewRoot makes a root with a new key. Its subject identifies the key, so that no two roots have the same subject: servers announce the roots they
// trust by subject alone.
func NewRoot(now time.Time) (Root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Root{}, fmt.Errorf("creating a root certificate: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return Root{}, fmt.Errorf("creating a root certificate: %w", err)
	}
	id := sha256.Sum256(public)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(id[:16]), Subject: pkix.Name{CommonName: "sandbox-root-" + hex.EncodeToString(id[:8])},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Root{}, fmt.Errorf("creating a root certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Root{}, fmt.Errorf("creating a root certificate: %w", err)
	}
	return ParseRoot(block("CERTIFICATE", der), block("PRIVATE KEY", private))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ParseRoot reads a root. It fails unless the certificate is self-signed and the key belongs to it.
func ParseRoot(cert, key []byte) (Root, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return Root{}, fmt.Errorf("reading a root certificate: %w", err)
	}
	if err := pair.Leaf.CheckSignatureFrom(pair.Leaf); err != nil {
		return Root{}, fmt.Errorf("reading a root certificate: %w", err)
	}
	return Root{Cert: pair.Leaf, CertPEM: cert, KeyPEM: key}, nil
}

// Parse reads every certificate of a PEM file.
func Parse(data []byte) (all []*x509.Certificate, err error) {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificates: %w", err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 && len(bytes.TrimSpace(data)) > 0 {
		return nil, errors.New("reading certificates: the text contains none")
	}
	return all, nil
}

// Encode is the inverse of Parse.
func Encode(certs []*x509.Certificate) []byte {
	var all []byte
	for _, c := range certs {
		all = append(all, block("CERTIFICATE", c.Raw)...)
	}
	return all
}

// Fingerprint identifies a certificate: the SHA-256 of its DER form in lower-case hexadecimal, as in the metrics of services/governance.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}
