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
	// waits is the number of conditions for which the program waits before it is ready for the first time.
	waits int
	// probe is nil before the program serves.
	probe    *health.Server
	services []string
}

// SetReady sets whether the program can do its work, for example whether its database can be reached. A program is ready by default. After
// the start of the drain, SetReady has no effect.
func (p *Process) SetReady(ready bool) {
	p.readiness.change(func(r *readiness) { r.unready = !ready })
}

// ReadyAfter delays the readiness of the program until done is called, whatever SetReady says. It must be called during registration. done may
// be called several times.
func (p *Process) ReadyAfter() (done func()) {
	p.readiness.change(func(r *readiness) { r.waits++ })
	return sync.OnceFunc(func() { p.readiness.change(func(r *readiness) { r.waits-- }) })
}

func (r *readiness) change(change func(*readiness)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.ready()
	if change(r); r.ready() != was {
		r.report()
	}
}

func (r *readiness) ready() bool { return !r.unready && r.waits == 0 }

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
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if r.ready() {
		status = healthv1.HealthCheckResponse_SERVING
	}
	for _, name := range r.services {
		// After the drain has called Shutdown, this call has no effect.
		r.probe.SetServingStatus(name, status)
	}
}
