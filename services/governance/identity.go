package governance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
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
	Every   time.Duration // how often the files are read again; 1s when zero
	Log     *slog.Logger  // slog.Default() when nil
	Metrics *Metrics      // may be nil
	Events  *Events       // may be nil
}

// Identity is the certificate this process shows and the authorities it trusts. Both follow the files, so rotating them needs no
// restart: new connections use the new ones, open connections live on.
type Identity struct {
	cfg     IdentityConfig
	current atomic.Pointer[credential]
}

type credential struct {
	pair   tls.Certificate
	roots  *x509.CertPool
	digest [sha256.Size]byte
}

// NewIdentity fails when the files cannot be used now. Watch follows them later.
func NewIdentity(cfg IdentityConfig) (*Identity, error) {
	orDefault(&cfg.Every, time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	id := &Identity{cfg: cfg}
	files, err := readIdentity(cfg.Dir)
	if err != nil {
		return nil, err
	}
	c, err := parseIdentity(files)
	if err != nil {
		return nil, err
	}
	id.use(c)
	return id, nil
}

// Watch takes changed files into use until ctx ends. It compares content, because a Secret volume changes by a symlink and a
// modification time can stay the same. A pair that does not fit together leaves the last good one in use.
func (id *Identity) Watch(ctx context.Context) error {
	ticker := time.NewTicker(id.cfg.Every)
	defer ticker.Stop()
	var refused [sha256.Size]byte
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			refused = id.reload(refused)
		}
	}
}

// reload returns the digest of what it refused, so that the same bad files are reported once.
func (id *Identity) reload(refused [sha256.Size]byte) [sha256.Size]byte {
	files, err := readIdentity(id.cfg.Dir)
	digest := files.digest()
	if err == nil && digest == id.current.Load().digest {
		return [sha256.Size]byte{}
	}
	if digest == refused {
		return refused
	}
	var c *credential
	if err == nil {
		c, err = parseIdentity(files)
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
		id.cfg.Metrics.certExpiry.Set(float64(c.pair.Leaf.NotAfter.Unix()))
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

func parseIdentity(f identityFiles) (*credential, error) {
	pair, err := tls.X509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("pairing tls.crt with tls.key: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(f.ca) {
		return nil, errors.New("reading ca.crt: it holds no certificate")
	}
	return &credential{pair: pair, roots: roots, digest: f.digest()}, nil
}
