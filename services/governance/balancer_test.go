package governance

import (
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// TestDial_NotServingReplica checks that a replica whose health service reports NOT_SERVING gets no calls.
func TestDial_NotServingReplica(t *testing.T) {
	h := health.NewServer()
	h.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	client := wire(t, fake{}, ServerConfig{Health: h}, ClientConfig{})
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if err == nil {
		t.Error("a server that reports NOT_SERVING got a call")
	}
}

// TestAttempt_NeverMade checks that a choice whose connection was lost before the attempt says nothing about the replica.
func TestAttempt_NeverMade(t *testing.T) {
	var now time.Duration
	set := outlier.NewSet(func() time.Duration { return now }, func(outlier.Change) {})
	set.Keep([]string{"a", "b"})
	e := set.Of("a")
	for range 5 {
		e.Done(e.Admit(), outlier.Failure)
	}
	now += time.Second
	a := attempt{call: &clientCall{clientRuled: &clientRuled{rule: &policy.ClientRule{}}}, ctx: t.Context(), endpoint: e, admission: e.Admit()}
	a.done(balancer.DoneInfo{})
	if !e.Ejected() {
		t.Error("a trial call that was never made brought the replica back")
	}
	if got := e.Admit(); got != outlier.Trial {
		t.Error("the next call is not the trial:", got)
	}
}
