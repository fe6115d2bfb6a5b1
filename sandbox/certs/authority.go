package certs

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Authority is the state of the roots. It is stored as one object, so that it changes atomically, and it records how far a rotation has progressed.
type Authority struct {
	// Issuing signs the intermediate.
	Issuing Root
	// Next becomes Issuing when every process trusts it. It is nil outside a rotation.
	Next *Root
	// Previous were Issuing. They are trusted until no process presents a certificate issued under them.
	Previous []*x509.Certificate
	// Retired are no longer in the bundle, but processes that have not reloaded it may still trust them.
	Retired []*x509.Certificate

	// Version is that of the stored object. Save fails if the stored version differs.
	Version string
}

// Stage is how far a rotation has progressed.
type Stage string

// The stages in order. An interrupted rotation continues with the stage that it was in.
const (
	Steady      Stage = "steady"      // no rotation
	Introducing Stage = "introducing" // the new root is distributed to every process
	Switching   Stage = "switching"   // certificates are reissued under the new root
	Retiring    Stage = "retiring"    // the old root is removed
)

// Stage returns how far a rotation has progressed.
func (a Authority) Stage() Stage {
	switch {
	case a.Next != nil:
		return Introducing
	case len(a.Previous) > 0:
		return Switching
	case len(a.Retired) > 0:
		return Retiring
	}
	return Steady
}

// Bundle returns the roots that processes must trust.
func (a Authority) Bundle() []*x509.Certificate {
	all := []*x509.Certificate{a.Issuing.Cert}
	if a.Next != nil {
		all = append(all, a.Next.Cert)
	}
	for _, p := range a.Previous {
		if !contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func contains(all []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(all, c.Equal)
}

// introduced ends the stage Introducing.
func (a *Authority) introduced() {
	a.Previous = append(a.Previous, a.Issuing.Cert)
	a.Issuing, a.Next = *a.Next, nil
}

// switched ends the stage Switching.
func (a *Authority) switched() {
	a.Retired, a.Previous = append(a.Retired, a.Previous...), nil
}

// retired ends the stage Retiring.
func (a *Authority) retired() { a.Retired = nil }

// The keys of the stored object. cert-manager's CA issuer reads the first two. There is no ca.crt, because cert-manager would add it to every
// chain.
const (
	keyCert     = "tls.crt"
	keyKey      = "tls.key"
	keyNextCert = "next.crt"
	keyNextKey  = "next.key"
	keyPrevious = "previous.crt"
	keyRetired  = "retired.crt"
)

// Data returns the authority as the data of a Secret.
func (a Authority) Data() map[string][]byte {
	data := map[string][]byte{keyCert: a.Issuing.CertPEM, keyKey: a.Issuing.KeyPEM}
	if a.Next != nil {
		data[keyNextCert], data[keyNextKey] = a.Next.CertPEM, a.Next.KeyPEM
	}
	if len(a.Previous) > 0 {
		data[keyPrevious] = Encode(a.Previous)
	}
	if len(a.Retired) > 0 {
		data[keyRetired] = Encode(a.Retired)
	}
	return data
}

// ParseAuthority is the inverse of Data.
func ParseAuthority(data map[string][]byte, version string) (Authority, error) {
	a := Authority{Version: version}
	var err error
	if a.Issuing, err = ParseRoot(data[keyCert], data[keyKey]); err != nil {
		return a, err
	}
	if len(data[keyNextCert]) > 0 {
		next, err := ParseRoot(data[keyNextCert], data[keyNextKey])
		if err != nil {
			return a, err
		}
		a.Next = &next
	}
	if a.Previous, err = Parse(data[keyPrevious]); err != nil {
		return a, err
	}
	a.Retired, err = Parse(data[keyRetired])
	return a, err
}

// Found is what a sandbox without a stored authority already has.
type Found struct {
	// CA is the self-signed authority of an earlier version, which signed workloads directly, or nil.
	CA *Root
	// Trusted are the roots in mounted bundles.
	Trusted []*x509.Certificate
}

// Establish returns the authority of a sandbox that has none. The CA of an earlier version becomes the root, so that every certificate it issued
// stays valid. If bundles are already mounted, a new root starts in the middle of a rotation: the old roots stay trusted until no process needs
// them.
func Establish(now time.Time, f Found) (Authority, error) {
	a := Authority{}
	if f.CA != nil && now.Before(f.CA.Cert.NotAfter) && !now.Before(f.CA.Cert.NotBefore) {
		a.Issuing = *f.CA
	} else {
		var err error
		if a.Issuing, err = NewRoot(now); err != nil {
			return a, err
		}
	}
	for _, t := range f.Trusted {
		if !t.Equal(a.Issuing.Cert) && !contains(a.Previous, t) {
			a.Previous = append(a.Previous, t)
		}
	}
	return a, nil
}

// SameBundle reports whether a mounted bundle contains exactly the roots of the authority, in any order.
func (a Authority) SameBundle(mounted []byte) bool {
	have, err := Parse(mounted)
	want := a.Bundle()
	if err != nil || len(have) != len(want) {
		return false
	}
	order := func(x, y *x509.Certificate) int { return bytes.Compare(x.Raw, y.Raw) }
	slices.SortFunc(have, order)
	slices.SortFunc(want, order)
	return slices.EqualFunc(have, want, func(x, y *x509.Certificate) bool { return x.Equal(y) })
}
