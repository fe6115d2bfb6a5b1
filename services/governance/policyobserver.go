package governance

import (
	"fmt"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// KindPolicy is the kind of events about policies.
const KindPolicy = "policy"

// policyObserver reports what happens to the file of a policy as metrics and events.
type policyObserver struct {
	path    string
	policy  *policy.Policy
	metrics *Metrics
	events  *Events
}

// Applied reports the version in force.
func (o policyObserver) Applied(version string) {
	o.metrics.policyApplied(version)
	o.event(fmt.Sprintf("version %q in force", version), "applied")
}

// Kept reports that the last good policy stays in force.
func (o policyObserver) Kept(why string) {
	o.metrics.policyErrors.Inc()
	o.event("kept the last good one: "+why, "kept")
}

// Unmatched reports patterns that match nothing.
func (o policyObserver) Unmatched(patterns []string) {
	o.metrics.policyUnmatched.Set(float64(len(patterns)))
	for _, p := range patterns {
		o.event("nothing matches "+p, "unmatched")
	}
}

func (o policyObserver) event(detail, result string) {
	o.events.Add(Event{Kind: KindPolicy, Subject: filepath.Base(o.path), Detail: detail,
		Labels: map[string]string{"result": result, "version": o.policy.Version()}})
}
