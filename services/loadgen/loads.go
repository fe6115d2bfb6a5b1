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

// loads is the set of running loads, each in a goroutine of its own.
type loads struct {
	intended, calls *prometheus.CounterVec

	mu      sync.Mutex
	running map[string]*runningLoad
	closed  bool
	all     sync.WaitGroup
}

type runningLoad struct {
	*load
	stop context.CancelFunc
	done chan struct{}
}

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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStopping
	}
	if _, taken := s.running[name]; taken {
		return nil, errNameTaken
	}
	l := newLoad(name, rate, send, newTally(time.Now(), s.intended.WithLabelValues(name), s.calls.MustCurryWith(prometheus.Labels{"load": name})))
	l.target, l.method = target, method
	ctx, stop := context.WithCancel(context.Background())
	r := &runningLoad{load: l, stop: stop, done: make(chan struct{})}
	s.running[name] = r
	s.all.Go(func() {
		defer close(r.done)
		l.run(ctx, context.Background())
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

// stop waits for the calls in flight; when ctx ends first they go on, and the name stays taken until they are done and stop is asked again.
func (s *loads) stop(ctx context.Context, name string) (*load, error) {
	s.mu.Lock()
	r, ok := s.running[name]
	s.mu.Unlock()
	if !ok {
		return nil, errNoSuchLoad
	}
	r.stop()
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[name] == r {
		delete(s.running, name)
	}
	return r.load, nil
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

// close stops all and waits; later starts are refused.
func (s *loads) close() {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.running {
		r.stop()
	}
	s.mu.Unlock()
	s.all.Wait()
}
