package partners

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The validity of what is signed.
const (
	// DefaultValidity and MaxValidity are how long the certificate of a partner is valid.
	DefaultValidity = 90 * 24 * time.Hour
	MaxValidity     = 365 * 24 * time.Hour
	// revocationsValidity is how long a list of revocations is valid. It is signed again after half of that.
	revocationsValidity = 7 * 24 * time.Hour
	authorityValidity   = 10 * 365 * 24 * time.Hour
	// clockSkew is how far the clock of a partner or a gateway may be behind.
	clockSkew = 5 * time.Minute
)

// Name is the form of a partner's name, which is the common name of its certificates.
var Name = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

// The keys of the stored data.
const (
	authorityKey   = "ca.crt"
	privateKey     = "ca.key"
	partnersKey    = "partners.json"
	revocationsKey = "ca.crl"
)

// Registry is the authority and all certificates that it has issued and that have not expired. It is a value without locks; Service guards it.
type Registry struct {
	authority *x509.Certificate
	key       crypto.Signer
	// Version is the number of the list of revocations.
	Version int64
	// NextUpdate is when the list expires.
	NextUpdate time.Time
	// Partners are sorted by name.
	Partners []Partner

	authorityPEM, revocationsPEM []byte
}

// Partner is one partner.
type Partner struct {
	Name string `json:"name"`
	// Certificates has the newest first.
	Certificates []Certificate `json:"certificates"`
}

// Certificate is one certificate of a partner. Revoked is zero for one that is not revoked.
type Certificate struct {
	// Serial is the serial number in hexadecimal digits. NotBefore and NotAfter are the validity period.
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Revoked   time.Time `json:"revoked,omitzero"`
}

// Valid reports whether a gateway admits the certificate.
func (c Certificate) Valid(now time.Time) bool {
	return c.Revoked.IsZero() && now.Before(c.NotAfter)
}

// NewRegistry returns a registry with a new authority and no partners.
func NewRegistry(now time.Time) (*Registry, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("creating the key of the partners' authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "sandbox-partners"}, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(authorityValidity),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("creating the partners' authority: %w", err)
	}
	r := &Registry{key: key, authorityPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if r.authority, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("creating the partners' authority: %w", err)
	}
	return r, r.sign(now)
}

func serial() *big.Int {
	// 159 random bits: serial numbers are positive and have at most 20 bytes.
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		// crypto/rand does not fail.
		panic(err)
	}
	return n.Add(n, big.NewInt(1))
}

// Decode reads stored data. It returns nil for data without an authority.
func Decode(data map[string][]byte) (*Registry, error) {
	if len(data[authorityKey]) == 0 {
		return nil, nil
	}
	r := &Registry{authorityPEM: data[authorityKey], revocationsPEM: data[revocationsKey]}
	var err error
	if r.authority, err = x509.ParseCertificate(contents(data[authorityKey])); err != nil {
		return nil, fmt.Errorf("reading %s: %w", authorityKey, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(contents(data[privateKey]))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", privateKey, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading %s: a key of type %T cannot sign", privateKey, key)
	}
	r.key = signer
	list, err := x509.ParseRevocationList(contents(r.revocationsPEM))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", revocationsKey, err)
	}
	if list.Number == nil {
		return nil, fmt.Errorf("reading %s: the list has no number", revocationsKey)
	}
	r.Version, r.NextUpdate = list.Number.Int64(), list.NextUpdate
	if err := json.Unmarshal(data[partnersKey], &r.Partners); err != nil {
		return nil, fmt.Errorf("reading %s: %w", partnersKey, err)
	}
	return r, nil
}

func contents(text []byte) []byte {
	if block, _ := pem.Decode(text); block != nil {
		return block.Bytes
	}
	return nil
}

// Encode returns what is stored.
func (r *Registry) Encode() (map[string][]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of the partners' authority: %w", err)
	}
	partners, err := json.Marshal(append([]Partner{}, r.Partners...))
	if err != nil {
		return nil, fmt.Errorf("encoding the partners: %w", err)
	}
	return map[string][]byte{
		authorityKey: r.authorityPEM, revocationsKey: r.revocationsPEM, partnersKey: partners,
		privateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}, nil
}

// The reasons for which a certificate is not issued or revoked.
var (
	ErrName    = errors.New("the name of a partner has 1 to 40 lower-case letters, digits and hyphens")
	ErrUnknown = errors.New("there is no such partner")
	ErrRevoked = errors.New("the partner was revoked")
	ErrExpired = errors.New("the certificates of the partner have expired")
	ErrExists  = errors.New("the partner has a certificate already")
	ErrRequest = errors.New("the request is not a PKCS #10 request in PEM with a valid signature")
)

// Issue signs a certificate for the public key of a request. A renewal needs a partner that has a valid certificate; otherwise the name must be new,
// or have no valid certificate.
func (r *Registry) Issue(name string, request []byte, validity time.Duration, renewal bool, now time.Time) ([]byte, Certificate, error) {
	if !Name.MatchString(name) {
		return nil, Certificate{}, fmt.Errorf("%q: %w", name, ErrName)
	}
	asked, err := x509.ParseCertificateRequest(contents(request))
	if err == nil {
		err = asked.CheckSignature()
	}
	if err != nil {
		return nil, Certificate{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	p := r.find(name)
	valid := p != nil && slices.ContainsFunc(p.Certificates, func(c Certificate) bool { return c.Valid(now) })
	switch {
	case renewal && p == nil:
		return nil, Certificate{}, fmt.Errorf("%s: %w", name, ErrUnknown)
	case renewal && !valid && !p.Certificates[0].Revoked.IsZero():
		return nil, Certificate{}, fmt.Errorf("%s: %w", name, ErrRevoked)
	case renewal && !valid:
		return nil, Certificate{}, fmt.Errorf("%s: %w", name, ErrExpired)
	case !renewal && valid:
		return nil, Certificate{}, fmt.Errorf("%s: %w", name, ErrExists)
	}
	validity = min(cmp.Or(validity, DefaultValidity), MaxValidity)
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-clockSkew).UTC().Truncate(time.Second),
		NotAfter: now.Add(validity).UTC().Truncate(time.Second), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, r.authority, asked.PublicKey, r.key)
	if err != nil {
		return nil, Certificate{}, fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	issued := Certificate{Serial: template.SerialNumber.Text(16), NotBefore: template.NotBefore, NotAfter: template.NotAfter}
	if p == nil {
		r.Partners = append(r.Partners, Partner{Name: name})
		slices.SortFunc(r.Partners, func(a, b Partner) int { return strings.Compare(a.Name, b.Name) })
		p = r.find(name)
	}
	p.Certificates = slices.Insert(p.Certificates, 0, issued)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), issued, nil
}

func (r *Registry) find(name string) *Partner {
	for i := range r.Partners {
		if r.Partners[i].Name == name {
			return &r.Partners[i]
		}
	}
	return nil
}

// Revoke revokes all certificates of a partner, and returns how many were not revoked before.
func (r *Registry) Revoke(name string, now time.Time) (revoked int, err error) {
	p := r.find(name)
	if p == nil {
		return 0, fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	for i := range p.Certificates {
		if c := &p.Certificates[i]; c.Revoked.IsZero() {
			c.Revoked = now.UTC().Truncate(time.Second)
			revoked++
		}
	}
	if revoked == 0 {
		return 0, nil
	}
	return revoked, r.sign(now)
}

// Maintain forgets certificates that have expired, and signs the list of revocations again after half of its validity. It reports whether
// something has changed.
func (r *Registry) Maintain(now time.Time) (changed bool, err error) {
	if r.NextUpdate.Sub(now) > revocationsValidity/2 {
		return false, nil
	}
	for i := range r.Partners {
		p := &r.Partners[i]
		// A list of revocations that is still valid may be checked by a clock that is behind.
		p.Certificates = slices.DeleteFunc(p.Certificates, func(c Certificate) bool { return now.After(c.NotAfter.Add(revocationsValidity)) })
	}
	r.Partners = slices.DeleteFunc(r.Partners, func(p Partner) bool { return len(p.Certificates) == 0 })
	return true, r.sign(now)
}

// sign signs the list of revocations with the next number.
func (r *Registry) sign(now time.Time) error {
	list := &x509.RevocationList{Number: big.NewInt(r.Version + 1), ThisUpdate: now.Add(-clockSkew), NextUpdate: now.Add(revocationsValidity).UTC().Truncate(time.Second)}
	for _, p := range r.Partners {
		for _, c := range p.Certificates {
			n, ok := new(big.Int).SetString(c.Serial, 16)
			if !ok {
				return fmt.Errorf("the certificate of %s has the serial number %q, which is not hexadecimal", p.Name, c.Serial)
			}
			if !c.Revoked.IsZero() {
				list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: c.Revoked})
			}
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, r.authority, r.key)
	if err != nil {
		return fmt.Errorf("signing the list of revoked partners: %w", err)
	}
	r.Version, r.NextUpdate = r.Version+1, list.NextUpdate
	r.revocationsPEM = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	return nil
}

// sameTrust reports whether gateways admit the same partners.
func (r *Registry) sameTrust(other *Registry) bool {
	return other != nil && r.Version == other.Version && bytes.Equal(r.authorityPEM, other.authorityPEM)
}
