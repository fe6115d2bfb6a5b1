package governance

import (
	"cmp"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/slowstart"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// slowStartConfig returns nil if the policy has no slow start.
func slowStartConfig(p *policyv1.SlowStart) *slowstart.Config {
	if p.GetWindow().AsDuration() == 0 {
		return nil
	}
	const leastPercent = 10
	return &slowstart.Config{Window: p.GetWindow().AsDuration(), Least: float64(cmp.Or(p.GetMinPercent(), leastPercent)) / 100}
}

// startsSlowly reports whether a replica has just become ready and has had its share of the calls.
func (c *clientCall) startsSlowly(s *subConn) bool {
	if e := s.endpoint.Load(); e.Ejected() {
		// It has no share until it is in use again.
		s.conn.group.Down(s.address)
		return false
	}
	return !s.conn.group.Admit(s.address)
}
