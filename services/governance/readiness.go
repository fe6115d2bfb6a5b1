package governance

import (
	"sync"

	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Liveness is the name of a health service that is SERVING as long as the program runs, ready or not. A restart would not bring back what an
// unready program waits for.
const Liveness = "liveness"

// readiness is what the health service reports, for the program and for each of its services.
type readiness struct {
	mu      sync.Mutex
	unready bool
	// probe is nil before the program serves.
	probe    *health.Server
	services []string
}

// SetReady sets whether the program can do its work, for example whether its database can be reached. A program is ready by default. After
// the start of the drain, SetReady has no effect.
func (p *Process) SetReady(ready bool) {
	r := &p.readiness
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unready == !ready && r.probe != nil {
		return
	}
	r.unready = !ready
	r.report()
}

// serve makes probe report the readiness.
func (r *readiness) serve(probe *health.Server, services []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probe, r.services = probe, append([]string{""}, services...)
	r.probe.SetServingStatus(Liveness, healthv1.HealthCheckResponse_SERVING)
	r.report()
}

func (r *readiness) report() {
	if r.probe == nil {
		return
	}
	status := healthv1.HealthCheckResponse_SERVING
	if r.unready {
		status = healthv1.HealthCheckResponse_NOT_SERVING
	}
	for _, name := range r.services {
		// After the drain has called Shutdown, this call has no effect.
		r.probe.SetServingStatus(name, status)
	}
}
