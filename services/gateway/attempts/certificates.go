package attempts

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Kind is a kind of client certificate.
type Kind string

// The kinds of certificates. The target provides the first four; Forge makes the others.
const (
	// Valid and Other belong to two partners that are admitted.
	Valid   Kind = "valid"
	Other   Kind = "valid, of two partners"
	Revoked Kind = "revoked"
	// Mesh is a certificate of a workload of the mesh.
	Mesh Kind = "of the mesh"

	None        Kind = "none"
	Foreign     Kind = "of another authority with the same name"
	SelfSigned  Kind = "self-signed, with the name of a partner"
	Delegated   Kind = "signed by a valid partner"
	ServerOnly  Kind = "for servers only"
	Expired     Kind = "expired"
	NotYetValid Kind = "not yet valid"
	UpperCase   Kind = "name in upper case"
	TooLong     Kind = "name of 41 characters"
	TwoParts    Kind = "name and an organization"
	TwoNames    Kind = "two names"
	Nameless    Kind = "without a name"
)

// template returns a certificate that the gateway would admit if the right authority signed it.
func template() *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: "attempts-forged"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// edits are what is wrong with a certificate that the authority of the partners has signed.
var edits = map[Kind]func(*x509.Certificate){
	ServerOnly:  func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
	Expired:     func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
	NotYetValid: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) },
	UpperCase:   func(c *x509.Certificate) { c.Subject.CommonName = "Attempts-Forged" },
	TooLong:     func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("a", 41) },
	TwoParts:    func(c *x509.Certificate) { c.Subject.Organization = []string{"acme"} },
	TwoNames: func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: "acme"}, {Type: []int{2, 5, 4, 3}, Value: "globex"}}
	},
	Nameless: func(c *x509.Certificate) { c.Subject = pkix.Name{} },
}

// Forge makes the certificates that are wrong in one way. The authority is that of the partners, with its key; valid is the certificate of a partner.
func Forge(authority *x509.Certificate, key crypto.Signer, valid tls.Certificate) (map[Kind]tls.Certificate, error) {
	made := map[Kind]tls.Certificate{}
	var err error
	for kind, edit := range edits {
		c := template()
		edit(c)
		if made[kind], err = sign(c, authority, key); err != nil {
			return nil, err
		}
	}
	partner, err := x509.ParseCertificate(valid.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of a partner: %w", err)
	}
	if made[SelfSigned], err = sign(&x509.Certificate{Subject: partner.Subject, NotBefore: partner.NotBefore, NotAfter: partner.NotAfter,
		KeyUsage: partner.KeyUsage, ExtKeyUsage: partner.ExtKeyUsage}, nil, nil); err != nil {
		return nil, err
	}
	foreignKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	// It has the name and the key identifier of the authority, and another key.
	if made[Foreign], err = sign(template(), authority, foreignKey); err != nil {
		return nil, err
	}
	signer, ok := valid.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", valid.PrivateKey)
	}
	delegated, err := sign(template(), partner, signer)
	delegated.Certificate = append(delegated.Certificate, valid.Certificate[0])
	made[Delegated] = delegated
	return made, err
}

// sign signs a certificate for a new key; without an issuer, with that key.
func sign(c, issuer *x509.Certificate, signer crypto.Signer) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a key: %w", err)
	}
	if issuer == nil {
		issuer, signer = c, key
	} else {
		// CreateCertificate refuses an issuer whose public key is not that of the signer.
		forged := *issuer
		forged.PublicKey = signer.Public()
		issuer = &forged
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128)); err != nil {
		return tls.Certificate{}, fmt.Errorf("choosing a serial number: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
