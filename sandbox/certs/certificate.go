package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Certificate is one that cert-manager issues under our root.
type Certificate struct {
	// Namespace and Name are those of cert-manager's object.
	Namespace, Name string
	// Secret is where the issued certificate is stored, in the same namespace.
	Secret string
	// Authority is true if the certificate signs others.
	Authority bool
	// Chain is the issued chain as PEM, leaf first. It is empty until the certificate is issued.
	Chain []byte
}

// String returns namespace/name.
func (c Certificate) String() string { return c.Namespace + "/" + c.Name }

// ErrNotIssued means that a certificate has never been issued.
var ErrNotIssued = errors.New("not issued yet")

// Check returns the leaf certificate, and an error unless a peer that trusts roots would accept it now. It checks the validity period and the
// signatures. It does not rely on the status that cert-manager reports, which stays ready for a certificate whose root is no longer trusted.
func (c Certificate) Check(roots []*x509.Certificate, now time.Time) (*x509.Certificate, error) {
	chain, err := Parse(c.Chain)
	if err != nil {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, ErrNotIssued
	}
	return chain[0], checkChain(chain, roots, now)
}

func checkChain(chain, roots []*x509.Certificate, now time.Time) error {
	switch {
	case now.Before(chain[0].NotBefore):
		return fmt.Errorf("not valid before %s", chain[0].NotBefore.UTC().Format(time.RFC3339))
	case now.After(chain[0].NotAfter):
		return fmt.Errorf("expired at %s", chain[0].NotAfter.UTC().Format(time.RFC3339))
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: pool(roots), Intermediates: pool(chain[1:]), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("not issued under a trusted root: %w", err)
	}
	return nil
}

// fingerprint identifies the certificate that was issued last. It is empty before the first.
func (c Certificate) fingerprint() string {
	chain, err := Parse(c.Chain)
	if err != nil || len(chain) == 0 {
		return ""
	}
	return Fingerprint(chain[0])
}
