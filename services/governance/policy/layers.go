package policy

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// layers are the sources of a policy: what the program was started with, usually a file, and what a control plane has pushed. Where both say
// something, the pushed one applies. Neither is ever nil.
type layers struct{ own, pushed *policyv1.EffectivePolicy }

// merge returns one policy with the content of both layers.
func (l layers) merge() *policyv1.EffectivePolicy {
	merged := &policyv1.EffectivePolicy{
		Version: l.version(),
		// The last rule that matches applies.
		Server:       slices.Concat(l.own.GetServer(), l.pushed.GetServer()),
		Client:       slices.Concat(l.own.GetClient(), l.pushed.GetClient()),
		ServerFaults: slices.Concat(l.own.GetServerFaults(), l.pushed.GetServerFaults()),
		ClientFaults: slices.Concat(l.own.GetClientFaults(), l.pushed.GetClientFaults()),
		Connections:  slices.Concat(l.own.GetConnections(), l.pushed.GetConnections()),
		Shed:         l.own.GetShed(), Tuning: l.own.GetTuning(), Rate: l.own.GetRate(),
		Trials: slices.Concat(l.ownTrials(), l.pushed.GetTrials()),
	}
	if s := l.pushed.GetShed(); s != nil {
		merged.Shed = s
	}
	if t := l.pushed.GetTuning(); t != nil {
		merged.Tuning = t
	}
	if r := l.pushed.GetRate(); r != nil {
		merged.Rate = r
	}
	return merged
}

// ownTrials returns the trials of the program without the limits that the control plane has replaced for every call.
func (l layers) ownTrials() (kept []*policyv1.Trial) {
	for _, t := range l.own.GetTrials() {
		next := &policyv1.Trial{Shadow: t.GetShadow(), Percent: t.Percent, Rate: t.GetRate(), Shed: t.GetShed()}
		if l.pushed.GetRate() != nil && !t.GetShadow() {
			next.Rate = nil
		}
		if l.pushed.GetShed() != nil && !t.GetShadow() {
			next.Shed = nil
		}
		kept = append(kept, next)
	}
	return kept
}

// version names both layers, as in order-2+5f3a9c.
func (l layers) version() string {
	own, pushed := l.own.GetVersion(), l.pushed.GetVersion()
	if own == "" || pushed == "" {
		return own + pushed
	}
	return own + "+" + pushed
}

// unmatched returns the patterns that match nothing. Those of the pushed policy begin with "pushed.".
func (l layers) unmatched(known Known) []string {
	all := unmatched(l.own, known)
	for _, p := range unmatched(l.pushed, known) {
		all = append(all, "pushed."+p)
	}
	return all
}

// Connection returns what applies to the connections to a callee. For each part, the last entry applies that matches and has that part. An ejection in
// shadow mode is not among them: see ShadowEjection.
func (r *Rules) Connection(callee string) *policyv1.Connection {
	found := &policyv1.Connection{Callee: callee}
	for _, c := range r.source.GetConnections() {
		if !pattern.Matches(c.GetCallee(), callee) {
			continue
		}
		if c.RetryBudget != nil {
			found.RetryBudget = c.GetRetryBudget()
		}
		if c.LeastRequest != nil {
			found.LeastRequest = proto.Bool(c.GetLeastRequest())
		}
		if c.Tuning != nil {
			found.Tuning = c.GetTuning()
		}
		if c.OutlierEjection != nil && !c.GetOutlierEjection().GetShadow() {
			found.OutlierEjection = c.GetOutlierEjection()
		}
		if c.HealthCheck != nil {
			found.HealthCheck = c.GetHealthCheck()
		}
		if c.SlowStart != nil {
			found.SlowStart = c.GetSlowStart()
		}
		if c.ServerIdentity != nil {
			found.ServerIdentity = c.GetServerIdentity()
		}
	}
	return found
}

// ShadowEjection returns the ejection in shadow mode of the replicas of a callee; nil if there is none.
func (r *Rules) ShadowEjection(callee string) (found *policyv1.OutlierEjection) {
	for _, c := range r.source.GetConnections() {
		if c.GetOutlierEjection().GetShadow() && pattern.Matches(c.GetCallee(), callee) {
			found = c.GetOutlierEjection()
		}
	}
	return found
}
