package governance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a certificate authority for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	last int64

	// root is the root of an intermediate, and nil for a root.
	root *authority
	// from and to limit what issue makes next; zero means a time around now.
	from, to time.Time
}

// intermediate returns an authority that a has signed.
func (a *authority) intermediate() *authority {
	a.t.Helper()
	i := &authority{t: a.t, key: newKey(a.t), last: 1, root: a}
	a.last++
	template := &x509.Certificate{SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: "test intermediate"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, i.key.Public(), a.key)
	must(a.t, err)
	i.cert, err = x509.ParseCertificate(der)
	must(a.t, err)
	i.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return i
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), last: 1}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns the three files for a DNS name and SPIFFE identities. Each certificate has the next serial number and expires a second later
// than the previous one.
func (a *authority) issue(name string, spiffe ...string) identityFiles {
	a.t.Helper()
	a.last++
	key := newKey(a.t)
	template := &x509.Certificate{SerialNumber: big.NewInt(a.last), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: a.cert.NotAfter.Add(time.Duration(a.last) * time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if !a.from.IsZero() {
		template.NotBefore = a.from
	}
	if !a.to.IsZero() {
		template.NotAfter = a.to
	}
	for _, id := range spiffe {
		uri, err := url.Parse(id)
		must(a.t, err)
		template.URIs = append(template.URIs, uri)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	f := identityFiles{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
		ca:   a.pem,
	}
	if a.root != nil {
		f.cert, f.ca = append(f.cert, a.pem...), a.root.pem
	}
	return f
}

// issueTemplate is issue with changes to the template.
func issueTemplate(t *testing.T, a *authority, change func(*x509.Certificate)) (identityFiles, error) {
	t.Helper()
	a.last++
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(a.last), DNSNames: []string{serverDNS}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return identityFiles{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	return identityFiles{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), ca: a.pem}, nil
}

// uris parses URIs.
func uris(t *testing.T, list ...string) (out []*url.URL) {
	t.Helper()
	for _, s := range list {
		u, err := url.Parse(s)
		must(t, err)
		out = append(out, u)
	}
	return out
}

// mount writes the files as the kubelet writes a Secret: into a new folder, to which the link ..data is then moved in one step.
func mount(t *testing.T, dir string, f identityFiles) {
	t.Helper()
	version, err := os.MkdirTemp(dir, "..v")
	must(t, err)
	for name, data := range map[string][]byte{"tls.crt": f.cert, "tls.key": f.key, "ca.crt": f.ca} {
		must(t, os.WriteFile(filepath.Join(version, name), data, 0o600))
		if link := filepath.Join(dir, name); !exists(link) {
			must(t, os.Symlink(filepath.Join("..data", name), link))
		}
	}
	next := filepath.Join(dir, "..next")
	must(t, os.Symlink(filepath.Base(version), next))
	must(t, os.Rename(next, filepath.Join(dir, "..data")))
}

// replace replaces a file in one step, so that no reader sees half of it.
func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path+".next", data, 0o600))
	must(t, os.Rename(path+".next", path))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// identity mounts the files in a new folder and loads them.
func identity(t *testing.T, f identityFiles, metrics *Metrics) (*Identity, string) {
	t.Helper()
	dir := t.TempDir()
	mount(t, dir, f)
	id, err := NewIdentity(IdentityConfig{Dir: dir, Every: 10 * time.Millisecond, Log: quiet, Metrics: metrics})
	must(t, err)
	return id, dir
}
