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
	origin, callee := time.Now(), c.cfg.Callee
	// It is the sum over all connections to the callee.
	ejected := c.cfg.Metrics.ejected.WithLabelValues(callee)
	return outlier.NewSet(func() time.Duration { return time.Since(origin) }, func(change outlier.Change) {
		ejected.Add(float64(change.Delta))
		state := "in use"
		switch {
		case change.Ejected:
			state = "ejected"
			c.cfg.Metrics.ejections.WithLabelValues(callee, change.Class).Inc()
		case change.Gone:
			state = "gone"
		}
		c.log.Warn("replica", "address", change.Address, "state", state, "reason", change.Reason)
		if c.cfg.Breakers != nil && c.cfg.Breakers.events != nil {
			c.cfg.Breakers.events.Add(Event{Kind: KindOutlier, Subject: callee + " " + change.Address, Detail: state + ": " + change.Reason,
				Labels: map[string]string{"caller": c.cfg.Breakers.caller, "callee": callee, "address": change.Address, "state": state}})
		}
	})
}

// configureReplicas applies the policy in force, which it reads under a lock, so that an older policy never replaces a newer one.
func (c *client) configureReplicas() {
	c.configuring.Lock()
	defer c.configuring.Unlock()
	conn := c.cfg.Policy.Rules().Connection(c.cfg.Callee)
	c.outliers.Configure(outlierConfig(conn.GetOutlierEjection()))
	c.slowStart.Store(slowStartConfig(conn.GetSlowStart()))
}

func outlierConfig(p *policyv1.OutlierEjection) outlier.Config {
	return outlier.Config{Disabled: p.GetDisabled(), Consecutive: p.GetConsecutiveFailures(), Ratio: p.GetFailureRatio(),
		Base: p.GetBaseEjectionTime().AsDuration(), Max: p.GetMaxEjectionTime().AsDuration(), MaxPercent: p.GetMaxEjectionPercent()}
}
