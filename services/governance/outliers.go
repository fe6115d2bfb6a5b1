package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// KindOutlier is the kind of events about replicas that were ejected, and are in use again or gone.
const KindOutlier = "outlier"

// newOutliers returns the replicas of a callee, which report to metrics, log and events.
func newOutliers(c *client) *outlier.Set {
	callee := c.cfg.Callee
	// It is the sum over all connections to the callee.
	ejected := c.cfg.Metrics.ejected.WithLabelValues(callee)
	return newOutlierSet(func(change outlier.Change) {
		ejected.Add(float64(change.Delta))
		if change.Ejected {
			c.cfg.Metrics.ejections.WithLabelValues(callee, change.Class).Inc()
		}
		state := replicaState(change)
		c.log.Warn("replica", "address", change.Address, "state", state, "reason", change.Reason)
		if c.cfg.Breakers != nil && c.cfg.Breakers.events != nil {
			c.cfg.Breakers.events.Add(Event{Kind: KindOutlier, Subject: callee + " " + change.Address, Detail: state + ": " + change.Reason,
				Labels: map[string]string{"caller": c.cfg.Breakers.caller, "callee": callee, "address": change.Address, "state": state}})
		}
	})
}

func newOutlierSet(publish func(outlier.Change)) *outlier.Set {
	origin := time.Now()
	return outlier.NewSet(func() time.Duration { return time.Since(origin) }, publish)
}

// replicaState returns the state of a replica after a change, in a word of logs and events.
func replicaState(change outlier.Change) string {
	switch {
	case change.Ejected:
		return "ejected"
	case change.Gone:
		return "gone"
	}
	return "in use"
}

// configureReplicas applies the policy in force, which it reads under a lock, so that an older policy never replaces a newer one.
func (c *client) configureReplicas() {
	c.configuring.Lock()
	defer c.configuring.Unlock()
	rules := c.cfg.Policy.Rules()
	conn := rules.Connection(c.cfg.Callee)
	c.configureShadowOutliers(rules.ShadowEjection(c.cfg.Callee))
	c.outliers.Configure(outlierConfig(conn.GetOutlierEjection()))
	c.slowStart.Store(slowStartConfig(conn.GetSlowStart()))
}

func outlierConfig(p *policyv1.OutlierEjection) outlier.Config {
	return outlier.Config{Disabled: p.GetDisabled(), Consecutive: p.GetConsecutiveFailures(), Ratio: p.GetFailureRatio(),
		Base: p.GetBaseEjectionTime().AsDuration(), Max: p.GetMaxEjectionTime().AsDuration(), MaxPercent: p.GetMaxEjectionPercent()}
}
