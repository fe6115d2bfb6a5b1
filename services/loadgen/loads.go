package loadgen

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	errNoSuchLoad = errors.New("no such load")
	errNameTaken  = errors.New("a load of this name is running")
	errStopping   = errors.New("the load generator is shutting down")
)

// loads is the set of running loads. Each runs in its own goroutine.
type loads struct {
	intended, calls *prometheus.CounterVec

	mu      sync.Mutex
	running map[string]*runningLoad
	closed  bool
	all     sync.WaitGroup
}

type runningLoad struct {
	*load
	// stop ends the sending of calls.
	stop context.CancelFunc
	// abandon cancels the calls in flight.
	abandon context.CancelFunc
	done    chan struct{}
}

// drainLimit is how long a stopped load waits for its calls in flight before it cancels them.
const drainLimit = 5 * time.Second

// label returns the name of a load in metrics. A load named RUN/NAME uses the series of NAME, because otherwise each run would add series.
func label(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func newLoads(registry prometheus.Registerer) *loads {
	s := &loads{
		running: map[string]*runningLoad{},
		intended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sandbox_load_intended_total",
			Help: "Arrivals that were due."}, []string{"load"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sandbox_load_calls_total",
			Help: "Finished calls by gRPC code (UNAVAILABLE), and arrivals not sent (OVERLOADED)."}, []string{"load", "code"}),
	}
	registry.MustRegister(s.intended, s.calls)
	return s
}

func (s *loads) start(name, target, method string, rate Pace, send call) (*load, error) {
	return s.startThrough(nil, name, target, method, rate, send)
}

// startThrough is start for a load whose calls use the connection to a gateway, which is closed when the last call has ended. It may be nil.
func (s *loads) startThrough(gateway *gatewayConn, name, target, method string, rate Pace, send call) (*load, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStopping
	}
	if _, taken := s.running[name]; taken {
		return nil, errNameTaken
	}
	l := newLoad(name, rate, send, newTally(time.Now(), s.intended.WithLabelValues(label(name)), s.calls.MustCurryWith(prometheus.Labels{"load": label(name)})))
	l.target, l.method, l.gateway = target, method, gateway
	ctx, stop := context.WithCancel(context.Background())
	calls, abandon := context.WithCancel(context.Background())
	r := &runningLoad{load: l, stop: stop, abandon: abandon, done: make(chan struct{})}
	s.running[name] = r
	s.all.Go(func() {
		defer close(r.done)
		if gateway != nil {
			defer gateway.close()
		}
		defer abandon()
		l.run(ctx, calls)
	})
	return l, nil
}

func (s *loads) get(name string) (*load, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.running[name]; ok {
		return r.load, nil
	}
	return nil, errNoSuchLoad
}

// stop stops a load, waits for its calls in flight, and cancels them after drainLimit. If ctx ends first, the calls continue, and the name
// stays taken until they have ended and stop is called again.
func (s *loads) stop(ctx context.Context, name string) (*load, error) {
	s.mu.Lock()
	r, ok := s.running[name]
	s.mu.Unlock()
	if !ok {
		return nil, errNoSuchLoad
	}
	r.stop()
	drained := time.AfterFunc(drainLimit, r.abandon)
	defer drained.Stop()
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[name] == r {
		delete(s.running, name)
		s.forget(label(name))
	}
	return r.load, nil
}

// forget removes the series of a label unless a load that is running uses it. Callers choose the names of loads, so the series would only become more.
func (s *loads) forget(of string) {
	for name := range s.running {
		if label(name) == of {
			return
		}
	}
	s.intended.DeleteLabelValues(of)
	s.calls.DeletePartialMatch(prometheus.Labels{"load": of})
}

func (s *loads) list() []*load {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*load, 0, len(s.running))
	for _, r := range s.running {
		list = append(list, r.load)
	}
	slices.SortFunc(list, func(a, b *load) int { return strings.Compare(a.name, b.name) })
	return list
}

// close stops all loads, waits for their calls in flight, and cancels them after drainLimit. Later starts fail.
func (s *loads) close() {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.running {
		r.stop()
		defer time.AfterFunc(drainLimit, r.abandon).Stop()
	}
	s.mu.Unlock()
	s.all.Wait()
}
