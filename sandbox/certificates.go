package sandbox

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// CertificateStatus describes one certificate: its validity period, and whether a peer that trusts the mounted bundle accepts it.
type CertificateStatus struct {
	// Namespace and Name are those of the Certificate. Authority means that it signs other certificates.
	Namespace, Name string
	Authority       bool
	// Fingerprint identifies the issued certificate; see certs.Fingerprint. It is empty and both dates are zero until the certificate is issued.
	Fingerprint         string
	NotBefore, NotAfter time.Time
	// Why says why a peer would refuse the certificate. It is empty for a valid certificate.
	Why string
}

// Trust is the state of the root certificates.
type Trust struct {
	// Stage is the stage of the rotation of the root; certs.Steady if there is none.
	Stage certs.Stage
	// Roots are the roots of the stored authority: the one that signs, the next one, then the previous and the retired ones.
	Roots []RootStatus
	// Stale lists the namespaces whose trust bundle differs from what it should be.
	Stale []string
}

// RootStatus describes one root certificate.
type RootStatus struct {
	// Fingerprint identifies the certificate; see certs.Fingerprint. Subject is its common name.
	Fingerprint, Subject string
	// Role is issuing, next, previous or retired.
	Role string
	// NotAfter is the end of the validity period.
	NotAfter time.Time
}

// Certificates lists every certificate of the cluster. For certificates that were not issued under our root only the validity period is checked.
func Certificates(ctx context.Context, c *kube.Client) ([]CertificateStatus, error) {
	found, err := c.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	bundles, err := c.TrustBundles(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]CertificateStatus, 0, len(found))
	for _, f := range found {
		all = append(all, judgeCertificate(f, bundles, time.Now()))
	}
	return all, nil
}

func judgeCertificate(c kube.Certificate, bundles map[string][]byte, now time.Time) CertificateStatus {
	s := CertificateStatus{Namespace: c.Namespace, Name: c.Name, Authority: c.Authority}
	roots := trustedIn(c.Namespace, bundles)
	if chain, err := certs.Parse(c.Issued); err == nil && len(chain) > 0 && !underOurRoot(c) {
		// Only the users of a foreign certificate know which roots they trust, so it is checked against its own chain.
		roots = chain
	}
	leaf, err := issued(c).Check(roots, now)
	if leaf != nil {
		s.Fingerprint, s.NotBefore, s.NotAfter = certs.Fingerprint(leaf), leaf.NotBefore, leaf.NotAfter
	}
	switch {
	case errors.Is(err, certs.ErrNotIssued) && c.Why != "":
		s.Why = "not issued: " + c.Why
	case err != nil:
		s.Why = err.Error()
	}
	return s
}

// trustedIn returns the roots that are mounted in a namespace. For a namespace without workloads it returns the roots that are mounted in every
// other namespace.
func trustedIn(namespace string, bundles map[string][]byte) []*x509.Certificate {
	roots, err := certs.Parse(bundles[namespace])
	if _, mounted := bundles[namespace]; mounted && err == nil {
		return roots
	}
	for i, name := range slices.Sorted(maps.Keys(bundles)) {
		these, _ := certs.Parse(bundles[name])
		if i == 0 {
			roots = these
		}
		roots = slices.DeleteFunc(roots, func(r *x509.Certificate) bool { return !slices.ContainsFunc(these, r.Equal) })
	}
	return roots
}

// RootsOf describes the roots of a cluster.
func RootsOf(ctx context.Context, c *kube.Client) (Trust, error) {
	a, err := pki{c}.Load(ctx)
	if err != nil {
		return Trust{}, err
	}
	t := Trust{Stage: a.Stage()}
	add := func(role string, all ...*x509.Certificate) {
		for _, r := range all {
			t.Roots = append(t.Roots, RootStatus{certs.Fingerprint(r), r.Subject.CommonName, role, r.NotAfter})
		}
	}
	add("issuing", a.Issuing.Cert)
	if a.Next != nil {
		add("next", a.Next.Cert)
	}
	add("previous", a.Previous...)
	add("retired", a.Retired...)
	bundles, err := c.TrustBundles(ctx)
	if err != nil {
		return t, err
	}
	for _, namespace := range slices.Sorted(maps.Keys(bundles)) {
		if !a.SameBundle(bundles[namespace]) {
			t.Stale = append(t.Stale, namespace)
		}
	}
	return t, nil
}

// CertificateOptions are the options of RotateRoot and RenewCertificates.
type CertificateOptions struct {
	// Name is the name of the sandbox, Folders are where its files are.
	Name    string
	Folders Folders
	// Observe receives the progress. It may be nil.
	Observe func(Progress)
}

// RotateRoot replaces the root without failing any call, or completes a rotation that was interrupted. See certs.Rotation.
func RotateRoot(ctx context.Context, o CertificateOptions) error {
	return replaceCertificates(ctx, o, "certs rotate-root", func(r *certs.Rotation) error {
		if err := r.Rotate(ctx); err != nil {
			return remedy.Wrap(fmt.Errorf("replacing the root certificate: %w", err), remedy.Command("certs", "rotate-root"))
		}
		return nil
	})
}

// RenewCertificates has certificates reissued with new keys, and waits until every process presents the new certificate. A name is NAME or
// NAMESPACE/NAME; without names all certificates are renewed.
func RenewCertificates(ctx context.Context, o CertificateOptions, names []string) error {
	return replaceCertificates(ctx, o, "certs renew", func(r *certs.Rotation) error { return renew(ctx, r, names) })
}

// RenewRelease has the certificate of a release reissued with a new key, and waits until every pod of the release presents the new one. The caller
// holds the sandbox's lock.
func RenewRelease(ctx context.Context, client *kube.Client, r charts.Release) error {
	p := pki{client}
	rotation := p.rotationAmong(podsOf{p, r}, newRecorder(nil))
	rotation.Limit = renewTimeout
	return renew(ctx, rotation, []string{r.Namespace + "/" + r.Name})
}

func renew(ctx context.Context, r *certs.Rotation, names []string) error {
	all, err := r.Issuer.Certificates(ctx)
	if err != nil {
		return err
	}
	picked, err := pick(all, names)
	if err != nil {
		return err
	}
	return r.Renew(ctx, picked)
}

// UnknownCertificateError is the error for a certificate that does not exist. Name is what was asked for, as NAME or NAMESPACE/NAME.
type UnknownCertificateError struct{ Name string }

// Error names the certificate.
func (e *UnknownCertificateError) Error() string { return "there is no certificate " + e.Name }

func pick(all []certs.Certificate, names []string) ([]certs.Certificate, error) {
	if len(names) == 0 {
		return all, nil
	}
	var picked []certs.Certificate
	for _, name := range names {
		i := slices.IndexFunc(all, func(c certs.Certificate) bool {
			return c.String() == name || !strings.Contains(name, "/") && c.Name == name
		})
		if i < 0 {
			return nil, remedy.Wrap(&UnknownCertificateError{name}, remedy.Command("certs", "list"))
		}
		if !slices.ContainsFunc(picked, func(c certs.Certificate) bool { return c.String() == all[i].String() }) {
			picked = append(picked, all[i])
		}
	}
	return picked, nil
}

func replaceCertificates(ctx context.Context, o CertificateOptions, verb string, do func(*certs.Rotation) error) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	cluster, err := Open(ctx, o.Folders, o.Name)
	if err != nil {
		return err
	}
	unlock, err := Lock(o.Folders, o.Name, verb)
	if err != nil {
		return err
	}
	defer unlock()
	client, err := kube.Connect(cluster.Kubeconfig)
	if err != nil {
		return err
	}
	return do(pki{client}.rotation(newRecorder(o.Observe)))
}
