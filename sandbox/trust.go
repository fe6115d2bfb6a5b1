package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// earlierAuthority is the Secret of a self-signed authority that cert-manager made in an earlier version and that signed workloads directly.
const earlierAuthority = "sandbox-ca"

// ensureTrust makes the root if there is none, and writes the trust bundle that workloads mount. It must run before any chart is installed, because
// a pod does not start without its bundle.
func (u *up) ensureTrust(ctx context.Context, _ func(string)) error {
	p := pki{u.client}
	data, version, err := u.client.Secret(ctx, charts.CertNamespace, charts.RootSecret)
	if err != nil {
		return err
	}
	var a certs.Authority
	if data == nil {
		if a, err = u.establish(ctx, p); err != nil {
			return err
		}
	} else if a, err = certs.ParseAuthority(data, version); err != nil {
		return remedy.Wrap(fmt.Errorf("secret %s/%s is damaged: %w", charts.CertNamespace, charts.RootSecret, err),
			remedy.Shell("kubectl", "--kubeconfig", u.cluster.Kubeconfig, "-n", charts.CertNamespace, "delete", "secret", charts.RootSecret),
			remedy.Command("up"))
	}
	return p.Distribute(ctx, certs.Encode(a.Bundle()))
}

func (u *up) establish(ctx context.Context, p pki) (certs.Authority, error) {
	found, err := existingTrust(ctx, u.client)
	if err != nil {
		return certs.Authority{}, err
	}
	a, err := certs.Establish(time.Now(), found)
	if err != nil {
		return a, err
	}
	switch {
	case found.CA != nil && a.Issuing.Cert.Equal(found.CA.Cert):
		u.rec.advise("trust", "kept the existing certificate authority as the root",
			remedy.Command("certs", "rotate-root").If("it is to be replaced"))
	case len(a.Previous) > 0:
		u.rec.note("trust", "the root was lost; making another")
	}
	return a, p.Save(ctx, &a)
}

// existingTrust returns the authority and roots that a sandbox without a stored root already has. It skips what cannot be read, because nothing can
// be issued with it.
func existingTrust(ctx context.Context, c *kube.Client) (certs.Found, error) {
	var f certs.Found
	data, _, err := c.Secret(ctx, charts.CertNamespace, earlierAuthority)
	if err != nil {
		return f, err
	}
	if ca, err := certs.ParseRoot(data["tls.crt"], data["tls.key"]); err == nil {
		f.CA = &ca
	}
	bundles, err := c.TrustBundles(ctx)
	if err != nil {
		return f, err
	}
	for _, b := range bundles {
		if roots, err := certs.Parse(b); err == nil {
			f.Trusted = append(f.Trusted, roots...)
		}
	}
	return f, nil
}

// awaitCertificates waits until every certificate of a release is issued and valid. It has those reissued that are not.
func (u *up) awaitCertificates(ctx context.Context, of charts.Release) error {
	p := pki{u.client}
	a, err := p.Load(ctx)
	if err != nil {
		return err
	}
	// The Certificate was removed with the chart of the earlier version, so cert-manager does not write the Secret again.
	if err := u.client.DeleteSecret(ctx, charts.CertNamespace, earlierAuthority, a.Issuing.CertPEM); err != nil {
		return err
	}
	r := p.rotation(u.rec)
	r.Limit, r.Every = readyTimeout, readyPoll
	if err := r.Repair(ctx, func(string) {}); err != nil {
		return remedy.Wrap(fmt.Errorf("waiting for certificates: %w", err), remedy.Command("logs", of.Logs))
	}
	return nil
}

// finishRotation completes a rotation of the root that was interrupted.
func (u *up) finishRotation(ctx context.Context) error {
	if err := (pki{u.client}).rotation(u.rec).Resume(ctx); err != nil {
		return remedy.Wrap(fmt.Errorf("completing the replacement of the root certificate: %w", err), remedy.Command("certs", "rotate-root"))
	}
	return nil
}
