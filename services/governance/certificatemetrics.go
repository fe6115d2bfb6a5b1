package governance

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"github.com/prometheus/client_golang/prometheus"
)

// fingerprint identifies a certificate by the SHA-256 of its DER form, in lower-case hexadecimal.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// certificateInUse reports the certificate that this process presents and the roots that it trusts. The replacement of a root waits for these
// metrics: a root may be removed when no process presents a certificate that was issued under it.
func (m *Metrics) certificateInUse(c *credential) {
	m.certExpiry.Set(float64(c.pair.Leaf.NotAfter.Unix()))
	replaceSeries(m.certInUse, []prometheus.Labels{{"fingerprint": fingerprint(c.pair.Leaf), "root": fingerprint(c.root)}}, &m.certificateSeries)
	var roots []prometheus.Labels
	for _, r := range c.trusted {
		roots = append(roots, prometheus.Labels{"fingerprint": fingerprint(r)})
	}
	replaceSeries(m.trustedRoots, roots, &m.rootSeries)
}

// replaceSeries sets the new series to 1 before it deletes the old ones, so that no scrape finds none.
func replaceSeries(gauge *prometheus.GaugeVec, now []prometheus.Labels, last *[]prometheus.Labels) {
	kept := map[string]bool{}
	for _, labels := range now {
		gauge.With(labels).Set(1)
		kept[labels["fingerprint"]+labels["root"]] = true
	}
	for _, labels := range *last {
		if !kept[labels["fingerprint"]+labels["root"]] {
			gauge.Delete(labels)
		}
	}
	*last = now
}
