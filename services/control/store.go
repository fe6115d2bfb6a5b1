package control

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/lease"
)

// Store has the present state of the cluster, as far as the policies of processes depend on it. The operator writes it; everything else reads what
// was compiled from it.
type Store struct {
	// Leases are those of the faults in the store.
	Leases lease.Leases

	mu       sync.Mutex
	policies map[string]compile.TrafficPolicy
	faults   map[string]compile.Fault
	pods     map[string]compile.Pod
	// permitted are the namespaces that permit faults.
	permitted map[string]bool
	// compiler is nil after a change.
	compiler *compile.Compiler
	// over are the faults that had ended when compiler was made, by uid, with when that was noticed.
	over    map[string]time.Time
	changed chan struct{}
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{policies: map[string]compile.TrafficPolicy{}, faults: map[string]compile.Fault{}, pods: map[string]compile.Pod{}, permitted: map[string]bool{},
		changed: make(chan struct{}, 1)}
}

// Changed receives a value after one or more changes.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// touch notes a change. s.mu is held.
func (s *Store) touch() {
	s.compiler = nil
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// SetPolicy adds or replaces a policy.
func (s *Store) SetPolicy(p compile.TrafficPolicy) { put(s, s.policies, p.Namespace+"/"+p.Name, p) }

// RemovePolicy removes a policy.
func (s *Store) RemovePolicy(namespace, name string) { remove(s, s.policies, namespace+"/"+name) }

// SetPod adds or replaces a pod.
func (s *Store) SetPod(p compile.Pod) { put(s, s.pods, p.Key(), p) }

// RemovePod removes a pod.
func (s *Store) RemovePod(namespace, name string) { remove(s, s.pods, namespace+"/"+name) }

// SetFault adds or replaces a fault.
func (s *Store) SetFault(f compile.Fault) {
	put(s, s.faults, f.Namespace+"/"+f.Name, f)
	s.keepLeases()
}

// RemoveFault removes a fault.
func (s *Store) RemoveFault(namespace, name string) {
	remove(s, s.faults, namespace+"/"+name)
	s.keepLeases()
}

// Permit says whether a namespace permits faults.
func (s *Store) Permit(namespace string, permitted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.permitted[namespace] == permitted {
		return
	}
	s.permitted[namespace] = permitted
	s.touch()
}

// Permitted reports whether a namespace permits faults.
func (s *Store) Permitted(namespace string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.permitted[namespace]
}

func put[T any](s *Store, into map[string]T, key string, value T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	into[key] = value
	s.touch()
}

func remove[T any](s *Store, from map[string]T, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := from[key]; ok {
		delete(from, key)
		s.touch()
	}
}

func (s *Store) keepLeases() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []lease.Fault
	for _, f := range s.faults {
		if seconds := f.Spec.GetLeaseSeconds(); seconds > 0 {
			all = append(all, lease.Fault{UID: f.UID, Namespace: f.Namespace, Name: f.Name, Time: time.Duration(seconds) * time.Second})
		}
	}
	s.Leases.Keep(all)
}

// Pod returns a pod of an account. A process that is not a pod of the cluster, or whose pod is not known yet, is refused.
func (s *Store) Pod(id ads.Identity, name string) (compile.Pod, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pods[id.Namespace+"/"+name]
	switch {
	case !ok:
		return compile.Pod{}, status.Errorf(codes.Unavailable, "pod %s/%s is not known yet", id.Namespace, name)
	case p.Account != id.Account:
		return compile.Pod{}, status.Errorf(codes.PermissionDenied, "pod %s/%s does not run as %s", id.Namespace, name, id.Account)
	}
	return p, nil
}

// Compile returns what a process must enforce now.
func (s *Store) Compile(p compile.Process) (out compile.Compiled) {
	s.With(func(c *compile.Compiler) { out = c.For(p) })
	return out
}

// Services returns services of a namespace; nil names mean all.
func (s *Store) Services(namespace string, names []string) (all []compile.Service) {
	s.With(func(c *compile.Compiler) {
		if names == nil {
			names = c.Services(namespace)
		}
		for _, name := range names {
			all = append(all, c.Service(namespace, name))
		}
	})
	return all
}

// With calls do with the compiler of the present state. do must not call the store.
func (s *Store) With(do func(*compile.Compiler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiler == nil {
		w := s.world()
		s.over = s.overAt(w.Faults, w.Now)
		s.compiler = compile.New(w)
	}
	do(s.compiler)
}

func (s *Store) world() compile.World {
	w := compile.World{Now: time.Now(), Policies: slices.Collect(maps.Values(s.policies)), Pods: slices.Collect(maps.Values(s.pods)), Faults: s.presentFaults()}
	slices.SortFunc(w.Policies, func(a, b compile.TrafficPolicy) int { return strings.Compare(a.String(), b.String()) })
	slices.SortFunc(w.Faults, func(a, b compile.Fault) int { return strings.Compare(a.String(), b.String()) })
	return w
}

// presentFaults returns the faults. One whose lease has ended, or whose namespace does not permit it, is marked. s.mu is held.
func (s *Store) presentFaults() []compile.Fault {
	all := make([]compile.Fault, 0, len(s.faults))
	for _, f := range s.faults {
		f.Ended = f.Ended || !s.permitted[f.Namespace] || s.Leases.Over(f.UID)
		all = append(all, f)
	}
	return all
}

// overAt returns the faults that have ended. s.mu is held.
func (s *Store) overAt(faults []compile.Fault, now time.Time) map[string]time.Time {
	over := map[string]time.Time{}
	for _, f := range faults {
		if f.Over(now) {
			over[f.UID] = now
			if since, known := s.over[f.UID]; known {
				over[f.UID] = since
			}
		}
	}
	return over
}

// overSince returns for how long a fault has ended.
func (s *Store) overSince(uid string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since, known := s.over[uid]; known {
		return now.Sub(since)
	}
	return 0
}

// Tick ends the faults whose time is over.
func (s *Store) Tick() {
	s.Leases.Expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiler != nil && !maps.Equal(s.over, s.overAt(s.presentFaults(), time.Now())) {
		s.touch()
	}
}

// Objects returns the present policies and faults. A fault that is over is marked as ended.
func (s *Store) Objects() ([]compile.TrafficPolicy, []compile.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world()
	for i := range w.Faults {
		w.Faults[i].Ended = w.Faults[i].Over(w.Now)
	}
	return w.Policies, w.Faults
}

// Pods returns the pods of a namespace by name.
func (s *Store) Pods(namespace string) map[string]compile.Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]compile.Pod{}
	for _, p := range s.pods {
		if p.Namespace == namespace {
			found[p.Name] = p
		}
	}
	return found
}
