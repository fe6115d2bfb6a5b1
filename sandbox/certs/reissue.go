package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
)

// reissue has every certificate issued again that a peer which trusts only roots would not accept: first those that sign others, then the rest.
// Valid certificates are kept.
func (r *Rotation) reissue(ctx context.Context, roots []*x509.Certificate, doing func(string)) error {
	for _, authorities := range []bool{true, false} {
		// asked maps a certificate to the fingerprint it had when Renew was called.
		asked := map[string]string{}
		err := r.await(ctx, doing, func(ctx context.Context) ([]string, error) {
			all, err := r.Issuer.Certificates(ctx)
			if err != nil {
				return nil, err
			}
			var lacking []string
			for _, c := range all {
				if c.Authority != authorities {
					continue
				}
				_, why := c.Check(roots, r.Now())
				if why == nil {
					continue
				}
				lacking = append(lacking, c.String()+": "+why.Error())
				// cert-manager is still issuing it.
				if errors.Is(why, ErrNotIssued) {
					continue
				}
				// Ask once for each issued certificate, because cert-manager may still sign with what it read before the issuer changed.
				if before, done := asked[c.String()]; done && before == c.fingerprint() {
					continue
				}
				if err := r.Issuer.Renew(ctx, c); err != nil {
					return nil, err
				}
				asked[c.String()] = c.fingerprint()
			}
			return lacking, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Repair waits until every certificate is issued and a peer that trusts the bundle accepts it. A certificate that is expired, or was issued under a
// root that is no longer trusted, is issued again.
func (r *Rotation) Repair(ctx context.Context, doing func(string)) error {
	a, err := r.Store.Load(ctx)
	if err != nil {
		return err
	}
	return r.reissue(ctx, a.Bundle(), doing)
}

// Renew has the picked certificates issued again with new keys, first those that sign others, and waits until every process presents its new
// certificate.
func (r *Rotation) Renew(ctx context.Context, picked []Certificate) error {
	a, err := r.Store.Load(ctx)
	if err != nil {
		return err
	}
	for _, authorities := range []bool{true, false} {
		before := map[string]string{}
		for _, c := range picked {
			if c.Authority == authorities {
				before[c.String()] = c.fingerprint()
			}
		}
		if len(before) == 0 {
			continue
		}
		name := "renew the workloads"
		if authorities {
			name = "renew the intermediate"
		}
		err := r.Step(ctx, name, func(ctx context.Context, doing func(string)) error {
			for _, c := range picked {
				if c.Authority == authorities {
					if err := r.Issuer.Renew(ctx, c); err != nil {
						return err
					}
				}
			}
			if err := r.awaitIssued(ctx, a, before, doing); err != nil {
				return err
			}
			return r.awaitPresented(ctx, a, before, doing)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitIssued waits until each of these certificates has been reissued and is valid.
func (r *Rotation) awaitIssued(ctx context.Context, a Authority, before map[string]string, doing func(string)) error {
	return r.await(ctx, doing, func(ctx context.Context) ([]string, error) {
		all, err := r.Issuer.Certificates(ctx)
		if err != nil {
			return nil, err
		}
		var lacking []string
		for _, c := range all {
			old, renewed := before[c.String()]
			if !renewed {
				continue
			}
			if c.fingerprint() == old {
				lacking = append(lacking, c.String()+" is not issued yet")
			} else if _, err := c.Check(a.Bundle(), r.Now()); err != nil {
				lacking = append(lacking, c.String()+": "+err.Error())
			}
		}
		return lacking, nil
	})
}

// awaitPresented waits until no process presents the previous version of one of these certificates.
func (r *Rotation) awaitPresented(ctx context.Context, a Authority, before map[string]string, doing func(string)) error {
	var old []string
	for _, fingerprint := range before {
		old = append(old, fingerprint)
	}
	return r.awaitProcesses(ctx, a, doing, func(p Process) string {
		if slices.Contains(old, p.Presents) {
			return "does not present its new certificate yet"
		}
		return ""
	})
}
