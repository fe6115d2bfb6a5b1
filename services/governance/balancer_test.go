package governance

import (
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/outlier"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// TestDial_NotServingReplica checks that a replica whose health service reports NOT_SERVING gets no calls until it reports SERVING.
func TestDial_NotServingReplica(t *testing.T) {
	h := health.NewServer()
	h.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	f := &flaky{}
	client := wire(t, f.fake(), ServerConfig{Health: h}, ClientConfig{Breakers: neverOpen()})
	if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.Unavailable || f.served.Load() != 0 {
		t.Errorf("%v, and the replica served %d calls", err, f.served.Load())
	}
	h.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	eventually(t, "the replica gets calls", func() bool {
		_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return err == nil
	})
}

// TestDial_HealthCheckDisabled checks that the policy switches health checking off and on again. gRPC reads the setting when it connects to a replica, so
// a change applies when the server has closed the connection at its maximum age.
func TestDial_HealthCheckDisabled(t *testing.T) {
	h := health.NewServer()
	h.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	p := policyOf(t, "connections: [{callee: callee, healthCheck: {disabled: true}}]")
	client := wire(t, fake{}, ServerConfig{Health: h, MaxAge: 300 * time.Millisecond, MaxAgeGrace: 100 * time.Millisecond}, ClientConfig{Breakers: neverOpen(), Policy: p})
	answers := func(want codes.Code) {
		t.Helper()
		eventually(t, "the answer is "+want.String(), func() bool {
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			return status.Code(err) == want
		})
	}
	answers(codes.OK)
	change(t, p, "")
	answers(codes.Unavailable)
	change(t, p, "connections: [{healthCheck: {disabled: true}}]")
	answers(codes.OK)
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
	a := attempt{call: &clientCall{clientRuled: &clientRuled{rule: &policy.ClientRule{}}}, ctx: t.Context(), choice: choice{nil, e, e.Admit()}}
	a.done(balancer.DoneInfo{})
	if !e.Ejected() {
		t.Error("a trial call that was never made brought the replica back")
	}
	if got := e.Admit(); got != outlier.Trial {
		t.Error("the next call is not the trial:", got)
	}
}
