package governance

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

const slowStarted = "slowStart: {window: 10s}"

// steady makes 150 calls a second of simulated time, and returns the share of each replica in percent.
func steady(callee *replicated, client testv1.TestServiceClient, span time.Duration) (shares []float64) {
	var before []int64
	for i := range callee.served {
		before = append(before, callee.served[i].Load())
	}
	var calls sync.WaitGroup
	tick := time.NewTicker(time.Second / 150)
	defer tick.Stop()
	all := 0.0
	for start := time.Now(); time.Since(start) < span; <-tick.C {
		calls.Go(func() { _, _ = client.UnaryCall(context.Background(), &testv1.SimpleRequest{}) })
		all++
	}
	calls.Wait()
	for i := range callee.served {
		shares = append(shares, 100*float64(callee.served[i].Load()-before[i])/all)
	}
	return shares
}

func between(t *testing.T, when string, got, least, most float64) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s the replica gets %.1f %% of the calls, want %v to %v", when, got, least, most)
	}
}

// TestSlowStart_NewReplica adds a third replica to two, by each way in which a replica can become ready.
func TestSlowStart_NewReplica(t *testing.T) {
	ways := map[string]func(r *replicated, ready bool){
		"its name resolves to it": func(r *replicated, ready bool) {
			s := resolver.State{Endpoints: r.state.Endpoints[:2]}
			if ready {
				s = r.state
			}
			r.names.UpdateState(s)
		},
		"its health check passes": func(r *replicated, ready bool) {
			status := healthv1.HealthCheckResponse_NOT_SERVING
			if ready {
				status = healthv1.HealthCheckResponse_SERVING
			}
			r.health[2].SetServingStatus("", status)
		},
	}
	for way, set := range ways {
		for _, c := range []struct {
			sentence, policy string
			slow             bool
		}{
			{"round robin", "connections: [{" + slowStarted + "}]", true},
			{"least request", "connections: [{leastRequest: true, " + slowStarted + "}]", true},
			{"off by default", "", false},
			{"switched off", "connections: [{slowStart: {window: 0s}}]", false},
		} {
			t.Run(way+", "+c.sentence, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					callee := newReplicated(t, 3, func(ctx context.Context, _ int) error { return pause.For(ctx, 20*time.Millisecond) })
					metrics := NewMetrics()
					client := callee.dial(t, ClientConfig{Metrics: metrics, Policy: policyOf(t, c.policy)})
					steady(callee, client, time.Second)
					set(callee, false)
					shares := steady(callee, client, 11*time.Second)
					between(t, "before it is ready,", shares[2], 0, 0.2)
					set(callee, true)
					first := steady(callee, client, time.Second)[2]
					steady(callee, client, 4*time.Second)
					middle := steady(callee, client, time.Second)[2]
					steady(callee, client, 4*time.Second)
					last := steady(callee, client, 5*time.Second)[2]
					deferred := metric(t, metrics, "sandbox_slow_start_deferred_total", "callee", "callee")
					if c.slow {
						between(t, "in the first second", first, 3.5, 6.5)
						between(t, "in the sixth second", middle, 19, 24)
					} else {
						between(t, "in the first second", first, 28, 38)
					}
					between(t, "in the end", last, 28, 38)
					if (deferred > 0) != c.slow {
						t.Errorf("%v calls were deferred", deferred)
					}
				})
			})
		}
	}
}

// TestSlowStart_ReadmittedReplica checks that the share of a replica grows after its ejection.
func TestSlowStart_ReadmittedReplica(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		least, most      float64
	}{
		{"slow start", "connections: [{" + slowStarted + "}]", 3.5, 6.5},
		{"least request", "connections: [{leastRequest: true, " + slowStarted + "}]", 3.5, 6.5},
		{"off by default", "", 28, 38},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				callee := newReplicated(t, 3, func(ctx context.Context, i int) error {
					if i == 2 && broken.Load() {
						return errDown
					}
					return pause.For(ctx, 20*time.Millisecond)
				})
				metrics := NewMetrics()
				client := callee.dial(t, ClientConfig{Metrics: metrics, Policy: policyOf(t, c.policy), Breakers: neverOpen()})
				steady(callee, client, 11*time.Second)
				broken.Store(true)
				steady(callee, client, 500*time.Millisecond)
				broken.Store(false)
				for n := 0; metric(t, metrics, "sandbox_outlier_ejected") != 0; n++ {
					if n == 50 {
						t.Fatal("the replica is still ejected")
					}
					steady(callee, client, 50*time.Millisecond)
				}
				between(t, "after its ejection", steady(callee, client, time.Second)[2], c.least, c.most)
				steady(callee, client, 9*time.Second)
				between(t, "in the end", steady(callee, client, 5*time.Second)[2], 28, 38)
			})
		})
	}
}

// TestSlowStart_NoOlderReplica checks that a replica that is alone, or whose peers are all new, gets its full share at once.
func TestSlowStart_NoOlderReplica(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		replicas         int
		share            float64
	}{
		{"one replica", "connections: [{" + slowStarted + "}]", 1, 100},
		{"three new replicas", "connections: [{" + slowStarted + "}]", 3, 33.3},
		{"one replica, least request", "connections: [{leastRequest: true, " + slowStarted + "}]", 1, 100},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				callee := newReplicated(t, c.replicas, func(ctx context.Context, _ int) error { return pause.For(ctx, 20*time.Millisecond) })
				metrics := NewMetrics()
				client := callee.dial(t, ClientConfig{Metrics: metrics, Policy: policyOf(t, c.policy)})
				for i, share := range steady(callee, client, 3*time.Second) {
					between(t, callee.state.Endpoints[i].Addresses[0].Addr, share, c.share-2, c.share+2)
				}
				if got := metric(t, metrics, "sandbox_slow_start_deferred_total"); got != 0 {
					t.Errorf("%v calls were deferred", got)
				}
			})
		})
	}
}
