package governance

import (
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// KindHealth is the kind of events about replicas that report NOT_SERVING, and that report SERVING again or are gone.
const KindHealth = "health"

// clientAttribute is the key of the client among the attributes of a list of replicas.
type clientAttribute struct{}

// withClient names the client to the balancer, which gRPC makes.
func withClient(s resolver.State, c *client) resolver.State {
	s.Attributes = s.Attributes.WithValue(clientAttribute{}, c)
	return s
}

// clientOf returns nil if the list comes from a resolver that is not wrapped, such as that of an HTTP proxy.
func clientOf(s resolver.State) *client {
	c, _ := s.Attributes.Value(clientAttribute{}).(*client)
	return c
}

// RegisterHealthListener notes the health of the replica, and passes it on. gRPC calls it when the connection is ready; without health checks the replica
// is then healthy.
func (s *subConn) RegisterHealthListener(listen func(balancer.SubConnState)) {
	if listen == nil {
		s.SubConn.RegisterHealthListener(nil)
		return
	}
	s.SubConn.RegisterHealthListener(func(state balancer.SubConnState) {
		s.changed(state.ConnectivityState == connectivity.Ready)
		switch state.ConnectivityState {
		case connectivity.Ready:
			s.setUnhealthy(false, "SERVING", "its health check passes again")
		case connectivity.TransientFailure:
			s.setUnhealthy(true, "NOT_SERVING", fmt.Sprint(state.ConnectionError))
		}
		listen(state)
	})
}

// Shutdown ends the connection.
func (s *subConn) Shutdown() {
	s.healthMu.Lock()
	s.ended = true
	s.healthMu.Unlock()
	s.disconnected()
	s.SubConn.Shutdown()
}

// changed notes whether the replica can get calls.
func (s *subConn) changed(up bool) {
	if up {
		s.conn.group.Up(s.address)
	} else {
		s.conn.group.Down(s.address)
	}
}

// disconnected notes that nothing is known any more about the health of the replica.
func (s *subConn) disconnected() { s.setUnhealthy(false, "gone", "it is no longer connected") }

// setUnhealthy reports a change of the health of the replica. Reports are in the order of the changes.
func (s *subConn) setUnhealthy(unhealthy bool, state, reason string) {
	c := s.conn.client.Load()
	s.healthMu.Lock()
	defer s.healthMu.Unlock()
	if c == nil || s.unhealthy == unhealthy || s.ended && unhealthy {
		return
	}
	s.unhealthy = unhealthy
	delta := -1.0
	if unhealthy {
		delta = 1
	}
	callee := c.cfg.Callee
	c.cfg.Metrics.unhealthy.WithLabelValues(callee).Add(delta)
	c.log.Info("health of a replica", "address", s.address, "state", state, "reason", reason)
	if c.cfg.Events != nil {
		c.cfg.Events.Add(Event{Kind: KindHealth, Subject: callee + " " + s.address, Detail: state + ": " + reason,
			Labels: map[string]string{"caller": c.cfg.Breakers.caller, "callee": callee, "address": s.address, "state": state}})
	}
}
