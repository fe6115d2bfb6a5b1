package governance

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

func TestReadiness_DrainIsFinal(t *testing.T) {
	const up, down = healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING
	for _, c := range []struct {
		sentence string
		do       func(p *Process, serve func(), drain func())
		want     healthv1.HealthCheckResponse_ServingStatus
		alive    healthv1.HealthCheckResponse_ServingStatus
	}{
		{"a program is ready by default", func(_ *Process, serve, _ func()) { serve() }, up, up},
		{"a value set during registration is kept", func(p *Process, serve, _ func()) { p.SetReady(false); serve() }, down, up},
		{"a program can become ready later", func(p *Process, serve, _ func()) { p.SetReady(false); serve(); p.SetReady(true) }, up, up},
		{"and unready again", func(p *Process, serve, _ func()) { serve(); p.SetReady(false) }, down, up},
		{"a drain is final", func(p *Process, serve, drain func()) { serve(); p.SetReady(false); drain(); p.SetReady(true) }, down, down},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			p, probe := &Process{}, health.NewServer()
			c.do(p, func() { p.readiness.serve(probe, []string{"a.v1.A"}) }, probe.Shutdown)
			for name, want := range map[string]healthv1.HealthCheckResponse_ServingStatus{"": c.want, "a.v1.A": c.want, Liveness: c.alive} {
				got, err := probe.Check(t.Context(), &healthv1.HealthCheckRequest{Service: name})
				if err != nil || got.GetStatus() != want {
					t.Errorf("%q: %s, %v; want %s", name, got.GetStatus(), err, want)
				}
			}
		})
	}
}

func TestRun_Readiness(t *testing.T) {
	at, stop, ended := program(t, nil, func(p *Process, _ *grpc.Server) error {
		p.SetReady(false)
		return nil
	})
	got, err := healthv1.NewHealthClient(plain(t, at.Health)).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("%s, %v; want NOT_SERVING", got.GetStatus(), err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
