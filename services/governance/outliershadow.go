package governance

import (
	"sync/atomic"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// shadowOutliers has the replicas of a callee as an ejection in shadow mode sees them. It counts the calls that the replicas get, except those that it would
// have kept away from a replica.
type shadowOutliers struct {
	*outlier.Set
	// known are the addresses that the set has received last.
	known atomic.Pointer[[]string]
}

// keep passes the addresses of all replicas to the set, if they have changed.
func (s *shadowOutliers) keep(now *[]string) {
	if now != nil && s.known.Load() != now && s.known.Swap(now) != now {
		s.Keep(*now)
	}
}

// configureShadowOutliers applies the ejection in shadow mode of the policy in force; nil means none. configuring is held.
func (c *client) configureShadowOutliers(p *policyv1.OutlierEjection) {
	set := c.shadowOutliers.Load()
	switch {
	case p != nil && set == nil:
		set = &shadowOutliers{Set: newOutlierSet(c.reportShadowOutlier)}
		set.Configure(outlierConfig(p))
		c.shadowOutliers.Store(set)
	case p != nil:
		set.Configure(outlierConfig(p))
	case set != nil:
		c.shadowOutliers.Store(nil)
		set.Configure(outlier.Config{Disabled: true})
	}
}

// reportShadowOutlier reports a replica that would be ejected, or in use again.
func (c *client) reportShadowOutlier(change outlier.Change) {
	callee := c.cfg.Callee
	c.cfg.Metrics.shadowEjected.WithLabelValues(callee).Add(float64(change.Delta))
	if change.Ejected {
		c.cfg.Metrics.shadowEjections.WithLabelValues(callee, change.Class).Inc()
	}
	state := replicaState(change)
	c.log.Info("replica in shadow mode", "address", change.Address, "state", state, "reason", change.Reason)
	if c.cfg.Events != nil {
		c.cfg.Events.Add(Event{Kind: KindShadow, Subject: callee + " " + change.Address, Detail: "the replica would be " + state + ": " + change.Reason,
			Labels: map[string]string{"side": "client", "caller": c.cfg.Breakers.caller, "callee": callee, "address": change.Address, "state": state}})
	}
}

// shadowAttempt is an attempt that an ejection in shadow mode counts. A nil one is not counted.
type shadowAttempt struct {
	endpoint  *outlier.Endpoint
	admission outlier.Admission
}

// shadowAttempt returns nil if no ejection is in shadow mode, or if it would have kept the call away from the replica.
func (c *clientCall) shadowAttempt(to choice) *shadowAttempt {
	set := c.client.shadowOutliers.Load()
	if set == nil || to.replica == nil {
		return nil
	}
	set.keep(to.replica.conn.replicas.Load())
	e := set.Of(to.replica.address)
	admission := e.Admit()
	if admission == outlier.Refused {
		return nil
	}
	return &shadowAttempt{e, admission}
}

func (s *shadowAttempt) done(outcome outlier.Outcome) {
	if s != nil {
		s.endpoint.Done(s.admission, outcome)
	}
}

// answered counts the first message of a stream.
func (s *shadowAttempt) answered() (answer outlier.Answer) {
	if s != nil {
		answer = s.endpoint.Answered(s.admission)
	}
	return answer
}

// failLater counts the failure of a stream after its first message.
func (s *shadowAttempt) failLater(answer outlier.Answer) {
	if s != nil {
		s.endpoint.FailLater(answer)
	}
}
