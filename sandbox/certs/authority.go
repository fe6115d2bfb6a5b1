package certs

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Authority is the state of the roots. It is stored as one object, so that it changes in one step, and says by itself how far a rotation has come.
type Authority struct {
	Issuing  Root                // signs the intermediate
	Next     *Root               // is to become Issuing when everything trusts it; nil outside of a rotation
	Previous []*x509.Certificate // were Issuing, and are trusted until nothing presents a certificate of theirs
	Retired  []*x509.Certificate // are out of the bundle, and perhaps still trusted by a process that has not read it yet

	Version string // of the stored object; Save refuses when it has changed
}

// Stage is how far a rotation has come.
type Stage string

// The stages, in their order. A rotation that was interrupted continues in the stage it was in.
const (
	Steady      Stage = "steady"      // no rotation
	Introducing Stage = "introducing" // the new root goes to everything that trusts
	Switching   Stage = "switching"   // certificates are issued under the new root
	Retiring    Stage = "retiring"    // the old root is taken away
)

// Stage returns how far a rotation has come.
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

// Bundle returns the roots that processes are to trust.
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

// introduced moves on from Introducing.
func (a *Authority) introduced() {
	a.Previous = append(a.Previous, a.Issuing.Cert)
	a.Issuing, a.Next = *a.Next, nil
}

// switched moves on from Switching.
func (a *Authority) switched() {
	a.Retired, a.Previous = append(a.Retired, a.Previous...), nil
}

// retired moves on from Retiring.
func (a *Authority) retired() { a.Retired = nil }

// The keys of the stored object. cert-manager's CA issuer reads the first two. There is no ca.crt: it would go into every chain.
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

// ParseAuthority is the opposite of Data.
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
	// CA is the self-signed authority of an earlier version, which signed workloads itself; nil where there is none.
	CA *Root
	// Trusted are the roots in mounted bundles.
	Trusted []*x509.Certificate
}

// Establish returns the authority of a sandbox that has none. An earlier version's CA becomes the root, so that everything it issued stays good. A
// new root next to bundles that are already mounted begins in the middle of a rotation: the old ones stay trusted until nothing needs them.
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

// SameBundle reports whether a mounted bundle holds exactly the roots of the authority, in whatever order.
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
