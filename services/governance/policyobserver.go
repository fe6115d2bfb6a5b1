package governance

import (
	"fmt"
	"log/slog"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// KindPolicy is the kind of events about policies.
const KindPolicy = "policy"

// ObservePolicy reports what happens to a policy as metrics, events and log records, whether a file or a control plane changes it. The subject
// of the events is name. Metrics and events may be nil. Run does this for the policy of a Process.
func ObservePolicy(p *policy.Policy, name string, metrics *Metrics, events *Events, log *slog.Logger) {
	if metrics == nil {
		metrics = NewMetrics()
	}
	if events == nil {
		events = NewEvents(1)
	}
	p.Observe(policyObserver{policy.Logged(log), p, name, metrics, events})
}

type policyObserver struct {
	logged  policy.Observer
	policy  *policy.Policy
	name    string
	metrics *Metrics
	events  *Events
}

// Applied reports the version in force.
func (o policyObserver) Applied(version string) {
	o.logged.Applied(version)
	o.metrics.policyApplied(version)
	o.event(fmt.Sprintf("version %q in force", version), "applied")
}

// Kept reports that the last good policy stays in force.
func (o policyObserver) Kept(why string) {
	o.logged.Kept(why)
	o.metrics.policyErrors.Inc()
	o.event("kept the last good one: "+why, "kept")
}

// Unmatched reports patterns that match nothing.
func (o policyObserver) Unmatched(patterns []string) {
	o.logged.Unmatched(patterns)
	o.metrics.policyUnmatched.Set(float64(len(patterns)))
	for _, p := range patterns {
		o.event("nothing matches "+p, "unmatched")
	}
}

func (o policyObserver) event(detail, result string) {
	o.events.Add(Event{Kind: KindPolicy, Subject: o.name, Detail: detail,
		Labels: map[string]string{"result": result, "version": o.policy.Version()}})
}
