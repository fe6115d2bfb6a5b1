package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// fakeCluster implements all parts of a Target. Calls fail while no pod of their service is ready, or a fault is injected into it.
type fakeCluster struct {
	mu       sync.Mutex
	replicas map[string]int
	pods     map[string][]telemetry.Pod
	// readyAt is when each pod that is starting will be ready.
	readyAt map[string]time.Time
	born    int
	loads   map[string]*fakeLoad
	breaker telemetry.Breaker
	changed time.Time
	changes []BreakerChange
	subs    []chan BreakerChange
	// objects are those of the control plane, by kind and name.
	objects map[string]target.Object
	// revoked has the partners whose calls the gateway refuses.
	revoked map[string]bool
	// log has every change, in order.
	log []string

	// A test may set the fields below before the cluster runs.

	// startup is the time until a new pod is ready.
	startup time.Duration
	latency time.Duration
	// failures is the share of calls that fail although a pod is ready.
	failures float64
	// unsent is the share of arrivals that the generator drops.
	unsent float64
	// burstUnsent is the same share for loads of 100 calls per second and more.
	burstUnsent float64
	// broken has the error that each method returns, by the name of the method.
	broken map[string]error
	// hook is called before every change.
	hook func(call string)
	// trip is whether the breaker works.
	trip bool
	// stuck means that pods that are killed are not replaced.
	stuck bool
	// value is what each query yields, by its text. A query without a value is wrong.
	value func(query string) (float64, bool)
	// linger is the time until which calls are answered without a pod.
	linger time.Time
}

type fakeLoad struct {
	spec  LoadSpec
	carry float64
	// lost is the number of arrivals that were not sent.
	lost float64
	// dark is the time since which no call was answered.
	dark time.Time
	LoadReading
}

const tick = 50 * time.Millisecond

func newFakeCluster() *fakeCluster {
	w := &fakeCluster{
		replicas: map[string]int{}, pods: map[string][]telemetry.Pod{}, readyAt: map[string]time.Time{},
		loads: map[string]*fakeLoad{}, objects: map[string]target.Object{}, revoked: map[string]bool{}, broken: map[string]error{}, startup: 2 * time.Second, latency: 8 * time.Millisecond, trip: true,
		breaker: telemetry.Breaker{Caller: "loadgen", Callee: "userservice", Method: "user.v1.UserService/GetUser", State: telemetry.Closed},
	}
	w.deploy("userservice")
	return w
}

// newFakeClusterFor returns a cluster with every release that a scenario calls or changes. Its breaker is on the path of the first load, and every
// query yields 1.
func newFakeClusterFor(sc Scenario) *fakeCluster {
	w := newFakeCluster()
	w.value = func(string) (float64, bool) { return 1, true }
	w.breaker.Callee, w.breaker.Method = sc.Load[0].Call.Service, sc.Load[0].Call.Method
	for _, l := range sc.Load {
		w.deploy(l.Call.Service)
	}
	for _, s := range sc.Steps {
		if a, ok := s.Action.(action.Changer); ok {
			w.deploy(a.Changes())
		}
		if a, ok := s.Action.(action.Affecting); ok {
			w.deploy(a.Affects())
		}
	}
	for _, x := range sc.Expect {
		if b, ok := x.(expect.OfBreaker); ok {
			w.breaker.Caller = b.Caller()
			w.breaker.Callee, w.breaker.Method = b.Callee()
			w.deploy(w.breaker.Callee)
		}
	}
	return w
}

// deploy adds a release with three ready pods.
func (w *fakeCluster) deploy(release string) {
	w.replicas[release] = 3
	w.converge(release, true)
}

func (w *fakeCluster) target() Target {
	return Target{Loads: w, Workloads: w, Breakers: w, Objects: fakeObjects{w}, Partners: fakePartners{w}, Certificates: w, Metrics: fakeMetrics{w}}
}

type fakeMetrics struct{ *fakeCluster }

func (m fakeMetrics) Value(_ context.Context, query string) (float64, error) {
	if m.value != nil {
		if v, ok := m.value(query); ok {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%w: %s", telemetry.ErrBadQuery, query)
}

// run lets time pass until ctx ends.
func (w *fakeCluster) run(ctx context.Context) {
	// The cluster never ticks at the same time as the engine, so that the order is deterministic.
	time.Sleep(tick / 7)
	_ = pause.Every(ctx, tick, func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pass()
		return nil
	})
}

// pass is one tick: pods start, calls are made, and the breaker reacts to the pods.
func (w *fakeCluster) pass() {
	now := time.Now()
	for release := range w.replicas {
		for i, p := range w.pods[release] {
			w.pods[release][i].Ready = p.Ready || now.After(w.readyAt[p.Name])
		}
		w.converge(release, false)
	}
	for _, name := range slices.Sorted(maps.Keys(w.loads)) {
		l := w.loads[name]
		// Some tests start loads without a call.
		service := cmp.Or(l.spec.Call.Service, w.breaker.Callee)
		l.call(w, !w.revoked[l.spec.Partner()] && !w.faulty(service) && target.CountReady(w.pods[service]) > 0 || now.Before(w.linger))
	}
	up := target.CountReady(w.pods[w.breaker.Callee])
	if w.faulty(w.breaker.Callee) {
		up = 0
	}
	inState := now.Sub(w.changed)
	switch s := w.breaker.State; {
	case !w.trip:
	case s == telemetry.Closed && up == 0 && len(w.loads) > 0:
		w.change(telemetry.Open, "26.0% of 31 calls failed")
	case s == telemetry.Open && inState >= 3*time.Second:
		w.change(telemetry.HalfOpen, "time to probe")
	case s == telemetry.HalfOpen && inState >= 500*time.Millisecond && up > 0:
		w.change(telemetry.Closed, "probes succeeded")
	case s == telemetry.HalfOpen && inState >= 500*time.Millisecond:
		w.change(telemetry.Open, "a probe failed")
	}
}

func (l *fakeLoad) call(w *fakeCluster, up bool) {
	due := float64(l.spec.Rate)*tick.Seconds() + l.carry
	n := int64(math.Floor(due + 1e-9))
	l.carry = due - float64(n)
	l.Intended += n
	unsent := w.unsent
	if l.spec.Rate >= 100 {
		unsent = max(unsent, w.burstUnsent)
	}
	l.lost += float64(n) * unsent
	l.Sent = l.Intended - int64(l.lost)
	finished := l.Sent - l.OK - l.Failed()
	failed := finished
	if up {
		failed = int64(float64(l.Sent)*w.failures) - l.Errors["Internal"]
		l.Errors["Internal"] += failed
	} else {
		l.Errors["UNAVAILABLE"] += failed
	}
	if !up && w.breaker.State == telemetry.Open {
		l.Refused["BREAKER_OPEN"] += failed
	} else {
		_ = l.FailedLatency.RecordValues(time.Millisecond.Microseconds(), failed)
	}
	l.OK += finished - failed
	_ = l.Latency.RecordValues(w.latency.Microseconds(), finished-failed)
	l.date(failed, finished)
}

// date keeps the periods in which calls failed, as the generator does.
func (l *fakeLoad) date(failed, finished int64) {
	now, n := time.Now(), len(l.Failures)
	if failed > 0 {
		if n == 0 || now.Sub(l.Failures[n-1].Last) > time.Second {
			l.Failures = append(l.Failures, FailurePeriod{First: now})
			n++
		}
		p := &l.Failures[n-1]
		p.Last, p.Failed = now, p.Failed+failed
	}
	if failed == finished && failed > 0 {
		if l.dark.IsZero() {
			l.dark = now
		}
		l.Failures[n-1].Outage = max(l.Failures[n-1].Outage, now.Sub(l.dark))
	} else if finished > failed {
		l.dark = time.Time{}
	}
}

func (w *fakeCluster) change(to telemetry.BreakerState, why string) {
	b := w.breaker
	c := BreakerChange{Seq: uint64(len(w.changes)) + 1, At: time.Now(), From: b.Caller, To: b.Callee, Method: b.Method, Old: b.State, New: to, Reason: why}
	w.breaker.State, w.breaker.Since, w.breaker.Reason, w.changed = to, c.At, why, c.At
	w.changes = append(w.changes, c)
	for _, s := range w.subs {
		s <- c
	}
}

func (w *fakeCluster) converge(release string, ready bool) {
	for len(w.pods[release]) > w.replicas[release] {
		w.pods[release] = w.pods[release][1:]
	}
	for len(w.pods[release]) < w.replicas[release] && !(w.stuck && w.born >= 3) {
		w.born++
		name := fmt.Sprintf("%s-%d", release, w.born)
		w.readyAt[name] = time.Now().Add(w.startup)
		w.pods[release] = append(w.pods[release], telemetry.Pod{Name: name, Release: release, Ready: ready})
	}
}
