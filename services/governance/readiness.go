package governance

import (
	"sync"

	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Liveness is the service that health says is serving for as long as the program is, ready or not: to restart a program does not bring back what
// it waits for.
const Liveness = "liveness"

// readiness is what health answers, for the program as a whole and for each of its services.
type readiness struct {
	mu       sync.Mutex
	unready  bool
	probe    *health.Server // nil before the program serves
	services []string
}

// SetReady says whether the program can do its work: what it cannot do without is there, or away. A program is ready unless it says
// otherwise. Once the drain has begun it changes nothing.
func (p *Process) SetReady(ready bool) {
	r := &p.readiness
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unready == !ready && r.probe != nil {
		return
	}
	r.unready = !ready
	r.tell()
}

// serve makes probe answer from now on.
func (r *readiness) serve(probe *health.Server, services []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probe, r.services = probe, append([]string{""}, services...)
	r.probe.SetServingStatus(Liveness, healthv1.HealthCheckResponse_SERVING)
	r.tell()
}

func (r *readiness) tell() {
	if r.probe == nil {
		return
	}
	status := healthv1.HealthCheckResponse_SERVING
	if r.unready {
		status = healthv1.HealthCheckResponse_NOT_SERVING
	}
	for _, name := range r.services {
		r.probe.SetServingStatus(name, status) // after its Shutdown, which the drain calls, it ignores this
	}
}
