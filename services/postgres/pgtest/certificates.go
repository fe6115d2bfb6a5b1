package pgtest

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Renew gives the server a new certificate. It takes effect at the script's next check.
func (s *Server) Renew() error {
	files, err := s.issue()
	if err != nil {
		return err
	}
	return s.mount(files)
}

// issue makes a certificate for the server, signed by its newest root. The older roots stay trusted.
func (s *Server) issue(edits ...func(*x509.Certificate)) (identity, error) {
	files, err := s.ca.issue("postgres", ServerName, edits...)
	for _, old := range s.olderRoots {
		files.ca = append(files.ca, block("CERTIFICATE", old.Raw)...)
	}
	return files, err
}

func (s *Server) mount(files identity) error {
	if err := files.write(filepath.Join(s.folder, "tls")); err != nil {
		return err
	}
	if s.owner == nil {
		return nil
	}
	return filepath.WalkDir(s.folder, func(path string, _ os.DirEntry, err error) error {
		switch {
		// The script removed the file in the meantime.
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err != nil || strings.HasPrefix(path, filepath.Join(s.folder, "main")):
			return err
		}
		if err := os.Lchown(path, int(s.owner.Uid), int(s.owner.Gid)); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Defect describes what is wrong with a certificate.
type Defect struct {
	// ValidFrom and ValidTo are the limits of its validity, relative to now; the usual ones if zero.
	ValidFrom, ValidTo time.Duration
	// UntrustedRoot means that its root is not in ca.crt.
	UntrustedRoot bool
	// OtherKey means that tls.key belongs to another certificate.
	OtherKey bool
	// NoChain means that the intermediate certificate is missing.
	NoChain bool
}

// Mount gives the server a certificate with a defect, which it must not use.
func (s *Server) Mount(t testing.TB, b Defect) {
	t.Helper()
	files, err := s.issue(func(c *x509.Certificate) {
		if b.ValidFrom != 0 {
			c.NotBefore, c.NotAfter = time.Now().Add(b.ValidFrom), time.Now().Add(b.ValidFrom+time.Hour)
		}
		if b.ValidTo != 0 {
			c.NotBefore, c.NotAfter = time.Now().Add(b.ValidTo-time.Hour), time.Now().Add(b.ValidTo)
		}
	})
	other, err2 := s.ca.issue("postgres", ServerName)
	stranger, err3 := newAuthority()
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	switch {
	case b.UntrustedRoot:
		files.ca = block("CERTIFICATE", stranger.root.Raw)
	case b.OtherKey:
		files.key = other.key
	case b.NoChain:
		leaf, _ := pem.Decode(files.cert)
		files.cert = pem.EncodeToMemory(leaf)
	}
	if err := s.mount(files); err != nil {
		t.Fatal(err)
	}
}

// Refusals returns the number of certificates that the script has rejected.
func (s *Server) Refusals(t testing.TB) int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(s.folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(log, []byte("keeping the last good certificate"))
}

// AddRoot makes a new root that signs all later certificates, and adds it to the roots that the server trusts. Nothing else that is mounted
// changes.
func (s *Server) AddRoot(t testing.TB) {
	t.Helper()
	next, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	// Serial numbers identify certificates, so they must not repeat across roots.
	next.last.Store(s.ca.last.Load() + 1000)
	s.olderRoots = append(s.olderRoots, s.ca.root)
	s.ca = next
	s.writeRoots(t)
}

// RemoveOldRoots makes the server trust the newest root only.
func (s *Server) RemoveOldRoots(t testing.TB) {
	t.Helper()
	s.olderRoots = nil
	s.writeRoots(t)
}

func (s *Server) writeRoots(t testing.TB) {
	t.Helper()
	roots := block("CERTIFICATE", s.ca.root.Raw)
	for _, old := range s.olderRoots {
		roots = append(roots, block("CERTIFICATE", old.Raw)...)
	}
	if err := os.WriteFile(filepath.Join(s.folder, "tls/ca.crt"), roots, 0o600); err != nil {
		t.Fatal(err)
	}
}
