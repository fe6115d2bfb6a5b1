package governance

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// TestOutliers_Shadow has three replicas of which one fails. An ejection in shadow mode counts it, and only an enforced one keeps calls away from it.
func TestOutliers_Shadow(t *testing.T) {
	const enforced, would = "sandbox_outlier_ejected", "sandbox_shadow_outlier_ejected"
	for _, c := range []struct {
		sentence, policy string
		// ejected is whether the replica is ejected, and noted whether an ejection in shadow mode would have ejected it.
		ejected, noted float64
	}{
		{"in shadow mode only", "[{outlierEjection: {disabled: true}}, {outlierEjection: {shadow: true}}]", 0, 1},
		{"next to the default", "[{outlierEjection: {shadow: true}}]", 1, 1},
		{"stricter than the enforced one", "[{outlierEjection: {maxEjectionPercent: 1}}, {outlierEjection: {shadow: true, consecutiveFailures: 2}}]", 0, 1},
		{"before the enforced one", "[{outlierEjection: {shadow: true}}, {outlierEjection: {disabled: true}}]", 0, 1},
		{"of another callee", "[{callee: other, outlierEjection: {shadow: true}}]", 1, 0},
		{"that is less strict than the enforced one", "[{outlierEjection: {shadow: true, maxEjectionPercent: 1}}]", 1, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				callee := newReplicated(t, 3, func(_ context.Context, i int) error {
					if i == 1 {
						return status.Error(codes.Unavailable, "lost its database")
					}
					return nil
				})
				metrics, events := NewMetrics(), NewEvents(0)
				p := policyOf(t, "client: [{breaker: {disabled: true}}]\nconnections: "+c.policy)
				client := callee.dial(t, ClientConfig{Policy: p, Metrics: metrics, Events: events})
				// All replicas are connected after the first call.
				_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				synctest.Wait()
				failed := 0
				for range 30 {
					if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
						failed++
					}
				}
				if got := metric(t, metrics, enforced); got != c.ejected {
					t.Errorf("%v replicas are ejected, want %v", got, c.ejected)
				}
				if got := metric(t, metrics, would); got != c.noted {
					t.Errorf("%v replicas would be ejected, want %v", got, c.noted)
				}
				if c.ejected == 0 && failed != 10 {
					t.Errorf("%d of 30 calls failed, want a third", failed)
				}
				if got := metric(t, metrics, "sandbox_shadow_outlier_ejections_total", "callee", "callee", "reason", "consecutive_failures"); got != c.noted {
					t.Errorf("%v ejections counted, want %v", got, c.noted)
				}
				kept, _, _ := events.After(0)
				if len(kept) != int(c.noted) {
					t.Fatalf("events %+v", kept)
				}
				if c.noted == 0 {
					return
				}
				want := map[string]string{"side": "client", "caller": "", "callee": "callee", "address": "replica-1", "state": "ejected"}
				if kept[0].Kind != KindShadow || kept[0].Subject != "callee replica-1" || !maps.Equal(kept[0].Labels, want) {
					t.Errorf("event %+v", kept[0])
				}
				// The policy without it has no replica that would be ejected.
				change(t, p, "connections: [{outlierEjection: {disabled: true}}]")
				_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				if got := metric(t, metrics, would); got != 0 {
					t.Errorf("%v replicas would be ejected after the policy has no ejection in shadow mode", got)
				}
			})
		})
	}
}

// TestOutliers_ShadowReadmits checks that a replica that works again would be in use, and that the breaker sees the failures of one that would be ejected.
func TestOutliers_ShadowReadmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		works := true
		callee := newReplicated(t, 2, func(_ context.Context, i int) error {
			if i == 1 && !works {
				return status.Error(codes.Unavailable, "lost its database")
			}
			return nil
		})
		metrics := NewMetrics()
		client, end := callee.connect(t, ClientConfig{Metrics: metrics,
			Policy: policyOf(t, "connections: [{outlierEjection: {disabled: true}}, {outlierEjection: {shadow: true}}]")})
		calls := func(n int) {
			for range n {
				_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			}
		}
		would := func() float64 { return metric(t, metrics, "sandbox_shadow_outlier_ejected") }
		// Both replicas are connected before one fails.
		calls(1)
		synctest.Wait()
		works = false
		calls(16)
		if got := metric(t, metrics, "sandbox_breaker_transitions_total"); would() != 1 || got != 0 {
			t.Fatalf("%v would be ejected, %v transitions of the breaker", would(), got)
		}
		calls(4)
		if got := metric(t, metrics, "sandbox_breaker_transitions_total", "to", StateOpen); got != 1 {
			t.Errorf("the breaker opened %v times: the failures are those of a replica in use", got)
		}
		works = true
		time.Sleep(6 * time.Second)
		calls(10)
		if got := would(); got != 0 {
			t.Errorf("%v would be ejected after a successful call", got)
		}
		works = false
		time.Sleep(20 * time.Second)
		calls(12)
		if got := would(); got != 1 {
			t.Errorf("%v would be ejected after more failures", got)
		}
		end()
		synctest.Wait()
		if got := would(); got != 0 {
			t.Errorf("%v would be ejected after the connection was closed", got)
		}
	})
}
