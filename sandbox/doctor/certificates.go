package doctor

import (
	"context"
	"time"
)

const certificates = "certificates"

// shortLife is what a certificate must still have: less, and cert-manager should have renewed it.
const shortLife = 5 * time.Minute

func certificateChecks() []Check {
	return []Check{
		{"clock", certificates, "certificates are valid by the clock", clock},
		{"certificates-ready", certificates, "without one a workload has no identity", certificatesReady},
		{"certificates-expiry", certificates, "with an expired one every call fails", certificatesExpiry},
	}
}

func certificatesReady(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Certificates == nil {
		return noCluster(w)
	}
	all, err := w.Cluster.Certificates(ctx)
	if err != nil {
		return unanswered(w, "the certificates", err)
	}
	if len(all) == 0 {
		return fail(w.Command("up"), "there are no certificates")
	}
	for _, c := range all {
		if !c.Ready {
			return fail(w.kubectl()+" -n "+c.Namespace+" describe certificate "+c.Name, "the certificate %s/%s is not ready: %s", c.Namespace, c.Name, c.Why)
		}
	}
	return pass("%s ready", count(len(all), "certificate"))
}

func certificatesExpiry(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Certificates == nil {
		return noCluster(w)
	}
	all, err := w.Cluster.Certificates(ctx)
	if err != nil {
		return unanswered(w, "the certificates", err)
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
		return fail(reissue(w, first),
			"the certificate %s/%s expired %s ago", first.Namespace, first.Name, -left)
	case left < shortLife:
		return warn(w.Command("logs cert-manager")+": it should have renewed it", "the certificate %s/%s expires in %s", first.Namespace, first.Name, left)
	}
	return pass("the first to expire is %s/%s, in %s", first.Namespace, first.Name, left)
}

// reissue is the command that makes cert-manager issue c again: it does so when the secret is gone.
func reissue(w World, c Certificate) string {
	return w.kubectl() + " -n " + c.Namespace + " get certificate " + c.Name + " -o jsonpath={.spec.secretName} | " + w.onCluster("xargs kubectl") + " -n " +
		c.Namespace + " delete secret"
}
