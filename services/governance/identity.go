package governance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// IdentityConfig describes where the certificate is: Dir has the files tls.crt, tls.key and ca.crt.
type IdentityConfig struct {
	Dir string
	// Every is the interval at which the files are read. Default: 1s.
	Every time.Duration
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// Metrics and Events may be nil.
	Metrics *Metrics
	Events  *Events
	// Now returns the time. Default: time.Now.
	Now func() time.Time
}

// Identity is the certificate that this process presents and the authorities that it trusts. Both follow the files, so a rotation needs no
// restart: new connections use the new files, open connections are kept.
//
// The three files are used together or not at all: the key must belong to the certificate, and the certificate must be valid now and issued
// under an authority in ca.crt. Otherwise the last good files stay in use, and the new ones are checked again until they are good or
// replaced.
type Identity struct {
	cfg     IdentityConfig
	current atomic.Pointer[credential]
}

type credential struct {
	pair    tls.Certificate
	roots   *x509.CertPool
	trusted []*x509.Certificate
	// root is the one in trusted under which the certificate was issued.
	root   *x509.Certificate
	digest [sha256.Size]byte
}

// NewIdentity reads the files. It fails if they cannot be used now. Watch follows later changes.
func NewIdentity(cfg IdentityConfig) (*Identity, error) {
	cfg.Every = cmp.Or(cfg.Every, time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	id := &Identity{cfg: cfg}
	files, err := readIdentity(cfg.Dir)
	if err != nil {
		return nil, err
	}
	c, err := parseIdentity(files, cfg.Now())
	if err != nil {
		return nil, err
	}
	id.use(c)
	return id, nil
}

// Watch uses changed files until ctx ends. It compares the content, because a mounted Secret is changed by a symlink and modification times
// can stay the same.
func (id *Identity) Watch(ctx context.Context) error {
	var refused [sha256.Size]byte
	return Every(ctx, id.cfg.Every, func(context.Context) error {
		refused = id.reload(refused)
		return nil
	})
}

// reload returns the digest of files that it rejected, so that the same files are reported only once. They are still checked each time,
// because a certificate can become valid.
func (id *Identity) reload(refused [sha256.Size]byte) [sha256.Size]byte {
	files, err := readIdentity(id.cfg.Dir)
	digest := files.digest()
	if err == nil && digest == id.current.Load().digest {
		return [sha256.Size]byte{}
	}
	var c *credential
	if err == nil {
		c, err = parseIdentity(files, id.cfg.Now())
	}
	if err != nil && digest == refused {
		return refused
	}
	if err != nil {
		id.cfg.Log.Error("keeping the last good certificate", "dir", id.cfg.Dir, "error", err)
		id.event("kept the last good one: " + err.Error())
		if id.cfg.Metrics != nil {
			id.cfg.Metrics.certReloadErrors.Inc()
		}
		return digest
	}
	id.use(c)
	id.cfg.Log.Info("certificate reloaded", "expires", c.pair.Leaf.NotAfter, "serial", c.pair.Leaf.SerialNumber.String())
	id.event("reloaded, expires " + c.pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	if id.cfg.Metrics != nil {
		id.cfg.Metrics.certReloads.Inc()
	}
	return [sha256.Size]byte{}
}

func (id *Identity) event(detail string) {
	if id.cfg.Events != nil {
		id.cfg.Events.Add(Event{Kind: KindCertificate, Subject: id.cfg.Dir, Detail: detail})
	}
}

func (id *Identity) use(c *credential) {
	id.current.Store(c)
	if id.cfg.Metrics != nil {
		id.cfg.Metrics.certificateInUse(c)
	}
}

type identityFiles struct{ cert, key, ca []byte }

func (f identityFiles) digest() [sha256.Size]byte {
	return sha256.Sum256(bytes.Join([][]byte{f.cert, f.key, f.ca}, []byte{0}))
}

// readIdentity returns what it could read, even with an error.
func readIdentity(dir string) (identityFiles, error) {
	read := func(name string) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("reading the certificate: %w", err)
		}
		return data, nil
	}
	cert, err1 := read("tls.crt")
	key, err2 := read("tls.key")
	ca, err3 := read("ca.crt")
	return identityFiles{cert: cert, key: key, ca: ca}, errors.Join(err1, err2, err3)
}

func parseIdentity(f identityFiles, now time.Time) (*credential, error) {
	pair, err := tls.X509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("pairing tls.crt with tls.key: %w", err)
	}
	trusted, err := parseCertificates(f.ca)
	if err != nil {
		return nil, fmt.Errorf("reading ca.crt: %w", err)
	}
	c := &credential{pair: pair, roots: pool(trusted), trusted: trusted, digest: f.digest()}
	return c, c.usable(now)
}

// usable returns an error unless a peer that trusts the same authorities would accept the certificate now. It also sets the root.
func (c *credential) usable(now time.Time) error {
	switch leaf := c.pair.Leaf; {
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("checking tls.crt: it is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case now.After(leaf.NotAfter):
		return fmt.Errorf("checking tls.crt: it expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	var between []*x509.Certificate
	for _, der := range c.pair.Certificate[1:] {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("checking tls.crt: %w", err)
		}
		between = append(between, cert)
	}
	chains, err := c.pair.Leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: pool(between), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("checking tls.crt: it was not issued under ca.crt: %w", err)
	}
	c.root = chains[0][len(chains[0])-1]
	return nil
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// parseCertificates parses all certificates of a PEM file. An unreadable certificate is an error: trusting fewer authorities than the file
// has would look like a completed rotation.
func parseCertificates(data []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("it has no certificate")
	}
	return certs, nil
}
