package governance

import (
	"bytes"
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

// IdentityConfig says where the certificate lies: tls.crt, tls.key and ca.crt in Dir.
type IdentityConfig struct {
	Dir     string
	Every   time.Duration    // how often the files are read again; 1s when zero
	Log     *slog.Logger     // slog.Default() when nil
	Metrics *Metrics         // may be nil
	Events  *Events          // may be nil
	Now     func() time.Time // time.Now when nil
}

// Identity is the certificate this process presents and the authorities it trusts. Both follow the files, so rotating them needs no
// restart: new connections use the new ones, open connections live on.
//
// The three files count as one. They are used only if the key belongs to the certificate and the certificate is valid now, up to an authority in
// ca.crt; otherwise the last good ones stay in use, and the files are judged again until they are good or replaced.
type Identity struct {
	cfg     IdentityConfig
	current atomic.Pointer[credential]
}

type credential struct {
	pair    tls.Certificate
	roots   *x509.CertPool
	trusted []*x509.Certificate
	root    *x509.Certificate // the one of trusted that the certificate was issued under
	digest  [sha256.Size]byte
}

// NewIdentity fails when the files cannot be used now. Watch follows them later.
func NewIdentity(cfg IdentityConfig) (*Identity, error) {
	orDefault(&cfg.Every, time.Second)
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

// Watch takes changed files into use until ctx ends. It compares content, because a Secret volume changes by a symlink and a
// modification time can stay the same.
func (id *Identity) Watch(ctx context.Context) error {
	var refused [sha256.Size]byte
	return Every(ctx, id.cfg.Every, func(context.Context) error {
		refused = id.reload(refused)
		return nil
	})
}

// reload returns the digest of what it refused, so that the same bad files are reported once. They are judged each time: a certificate that is not
// yet valid becomes valid.
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

// readIdentity returns what it could read even when it fails.
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

// usable returns an error unless a peer that trusts the same authorities would accept the certificate now. It also finds the root.
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

// parseCertificates reads every certificate of a PEM file. One that cannot be read is an error: to trust fewer authorities than the file names
// would look like a rotation that has reached this process.
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
		return nil, errors.New("it holds no certificate")
	}
	return certs, nil
}
