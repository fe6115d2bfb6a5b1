package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const certificates = "certificates"

const (
	// shortLife is the minimum remaining life of a certificate. Below it, cert-manager should already have renewed the certificate.
	shortLife = 5 * time.Minute
	// shortRoot is the minimum remaining life of the root. Only `sandbox certs rotate-root` renews it.
	shortRoot = 30 * 24 * time.Hour
)

func certificateChecks() []Check {
	return []Check{
		{ID: "clock", Category: certificates, Run: clock},
		{ID: "trust-bundle", Category: certificates, Run: trustBundle},
		{ID: "certificates-ready", Category: certificates, Run: certificatesReady},
		{ID: "certificates-expiry", Category: certificates, Run: certificatesExpiry},
	}
}

func certificatesReady(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Certificates == nil {
		return noCluster(w)
	}
	all, err := w.Cluster.Certificates(ctx)
	if err != nil {
		return unanswered("the certificates", err)
	}
	if len(all) == 0 {
		return fail(remedy.Command("up"), "there are no certificates")
	}
	for _, c := range all {
		if c.Why != "" {
			return fail(renew(c), "the certificate %s/%s would be refused: %s", c.Namespace, c.Name, c.Why)
		}
	}
	return pass("%s valid, under a root that is trusted", count(len(all), "certificate"))
}

func trustBundle(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Trust == nil {
		return noCluster(w)
	}
	t, err := w.Cluster.Trust(ctx)
	if err != nil {
		return unanswered("the roots", err)
	}
	left := t.NotAfter.Sub(w.Now()).Round(time.Hour)
	switch {
	case left <= 0:
		return fail(remedy.Command("certs", "rotate-root"), "the root expired at %s", t.NotAfter.UTC().Format(time.RFC3339))
	case len(t.Stale) > 0:
		return fail(remedy.Command("up"), "the trust bundle of %s does not hold the roots it should", strings.Join(t.Stale, ", "))
	case t.Unfinished != "":
		return warn(remedy.Command("certs", "rotate-root"), "a replacement of the root was interrupted while %s", t.Unfinished)
	case left < shortRoot:
		return warn(remedy.Command("certs", "rotate-root"), "the root expires in %d days", int(left.Hours()/24))
	}
	return pass("one root, until %s", t.NotAfter.UTC().Format(time.DateOnly))
}

func certificatesExpiry(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Certificates == nil {
		return noCluster(w)
	}
	all, err := w.Cluster.Certificates(ctx)
	if err != nil {
		return unanswered("the certificates", err)
	}
	var first Certificate
	for _, c := range all {
		if !c.NotAfter.IsZero() && (first.NotAfter.IsZero() || c.NotAfter.Before(first.NotAfter)) {
			first = c
		}
	}
	if first.NotAfter.IsZero() {
		return skip("no certificate has been issued")
	}
	left := first.NotAfter.Sub(w.Now()).Round(time.Second)
	switch {
	case left <= 0:
		return fail(renew(first),
			"the certificate %s/%s expired %s ago", first.Namespace, first.Name, -left)
	case left < shortLife:
		return warn(remedy.Advicef("%s: it should have renewed it", remedy.Command("logs", first.Logs)),
			"the certificate %s/%s expires in %s", first.Namespace, first.Name, left)
	}
	return pass("the first to expire is %s/%s, in %s", first.Namespace, first.Name, left)
}

// renew returns the command that has c issued again.
func renew(c Certificate) remedy.Remedy {
	return remedy.Advicef("%s; if it is not issued: %s",
		remedy.Command("certs", "renew", c.Namespace+"/"+c.Name), remedy.Command("logs", c.Logs))
}
