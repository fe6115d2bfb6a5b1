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

// Renew mounts a new certificate for the server; it takes effect when the script looks next.
func (s *Server) Renew() error {
	files, err := s.issue()
	if err != nil {
		return err
	}
	return s.mount(files)
}

// issue makes a certificate for the server, of its newest root. All of its roots are trusted.
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
		case errors.Is(err, os.ErrNotExist): // the script has removed it
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

// Bad is what is wrong with a certificate.
type Bad struct {
	From, To time.Duration // when it starts and ends to be valid, from now; as usual when zero
	Stranger bool          // its root is not in ca.crt
	OtherKey bool          // tls.key belongs to another certificate
	NoChain  bool          // the intermediate is missing
}

// Mount gives the server a certificate that it must not use.
func (s *Server) Mount(t testing.TB, b Bad) {
	t.Helper()
	files, err := s.issue(func(c *x509.Certificate) {
		if b.From != 0 {
			c.NotBefore, c.NotAfter = time.Now().Add(b.From), time.Now().Add(b.From+time.Hour)
		}
		if b.To != 0 {
			c.NotBefore, c.NotAfter = time.Now().Add(b.To-time.Hour), time.Now().Add(b.To)
		}
	})
	other, err2 := s.ca.issue("postgres", ServerName)
	stranger, err3 := newAuthority()
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	switch {
	case b.Stranger:
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

// Refusals counts the certificates that the script has refused.
func (s *Server) Refusals(t testing.TB) int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(s.folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(log, []byte("keeping the last good certificate"))
}

// AddRoot makes a root that signs from now on, and lets the server trust it too. Nothing else of what is mounted changes.
func (s *Server) AddRoot(t testing.TB) {
	t.Helper()
	next, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	next.last.Store(s.ca.last.Load() + 1000) // serial numbers tell certificates apart
	s.olderRoots = append(s.olderRoots, s.ca.root)
	s.ca = next
	s.writeRoots(t)
}

// RemoveOldRoots lets the server trust the newest root alone.
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
