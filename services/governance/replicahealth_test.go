package governance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/slowstart"
)

// TestReplicaHealth_NotServingIsVisible follows three replicas of which some report NOT_SERVING, as an operator sees them.
func TestReplicaHealth_NotServingIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callee := newReplicated(t, 3, func(context.Context, int) error { return nil })
		metrics, events := NewMetrics(), NewEvents(0)
		client, end := callee.connect(t, ClientConfig{Metrics: metrics, Events: events})
		seen := uint64(0)
		expect := func(unhealthy float64, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := metric(t, metrics, "sandbox_unhealthy_replicas", "callee", "callee"); got != unhealthy {
				t.Errorf("%v replicas are unhealthy, want %v", got, unhealthy)
			}
			kept, _, _ := events.After(seen)
			var got []string
			for _, e := range kept {
				seen = e.Seq
				if e.Kind == KindHealth {
					got = append(got, e.Labels["address"]+" "+e.Labels["state"])
				}
			}
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("events %q, want %q", got, want)
			}
		}
		report := func(replica int, status healthv1.HealthCheckResponse_ServingStatus) {
			callee.health[replica].SetServingStatus("", status)
		}
		report(0, healthv1.HealthCheckResponse_NOT_SERVING)
		_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		must(t, err)
		expect(1, "replica-0 NOT_SERVING")
		report(2, healthv1.HealthCheckResponse_NOT_SERVING)
		expect(2, "replica-2 NOT_SERVING")
		report(0, healthv1.HealthCheckResponse_SERVING)
		expect(1, "replica-0 SERVING")
		// The replica disappears.
		s := callee.state
		s.Endpoints = s.Endpoints[:2]
		callee.names.UpdateState(s)
		expect(0, "replica-2 gone")
		report(1, healthv1.HealthCheckResponse_NOT_SERVING)
		expect(1, "replica-1 NOT_SERVING")
		end()
		expect(0, "replica-1 gone")
	})
}

// listening is a connection to a replica whose health the test reports.
type listening struct {
	balancer.SubConn
	report func(balancer.SubConnState)
}

func (l *listening) RegisterHealthListener(listen func(balancer.SubConnState)) { l.report = listen }

func (l *listening) Shutdown() {}

// TestReplicaHealth_NothingAfterTheEnd has the end of the health check arrive after that of the connection, as gRPC may report it.
func TestReplicaHealth_NothingAfterTheEnd(t *testing.T) {
	events, inner := NewEvents(0), &listening{}
	s := &subConn{SubConn: inner, conn: &balancedConn{group: slowstart.NewGroup(func() time.Duration { return 0 })}, address: "replica-0"}
	s.conn.client.Store(newClient(ClientConfig{Callee: "callee", Events: events, Log: quiet}.withDefaults()))
	s.RegisterHealthListener(func(balancer.SubConnState) {})
	failing := balancer.SubConnState{ConnectivityState: connectivity.TransientFailure, ConnectionError: errors.New("not serving")}
	inner.report(failing)
	s.Shutdown()
	inner.report(failing)
	s.disconnected()
	kept, _, _ := events.After(0)
	var states []string
	for _, e := range kept {
		states = append(states, e.Labels["state"])
	}
	if got := strings.Join(states, ", "); got != "NOT_SERVING, gone" {
		t.Errorf("reported %s", got)
	}
}
