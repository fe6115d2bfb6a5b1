package governance

import (
	"cmp"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

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

// RegisterHealthListener reports the health of the replica to the group, and passes it on. gRPC calls it when the connection is ready; without health
// checks the replica is then healthy.
func (s *subConn) RegisterHealthListener(listen func(balancer.SubConnState)) {
	if listen == nil {
		s.SubConn.RegisterHealthListener(nil)
		return
	}
	s.SubConn.RegisterHealthListener(func(state balancer.SubConnState) {
		s.changed(state.ConnectivityState == connectivity.Ready)
		listen(state)
	})
}

// changed notes whether the replica can get calls.
func (s *subConn) changed(up bool) {
	if up {
		s.conn.group.Up(s.address)
	} else {
		s.conn.group.Down(s.address)
	}
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
