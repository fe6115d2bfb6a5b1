// Package ads sends each process its policy over the aggregated discovery service of xDS, and records what the process acknowledged.
//
//	process ──request for its own resource──▶ Server ──Compile──▶ EffectivePolicy
//	        ◀──response, pushed when the world changes──┘
//	        ──acknowledged, or rejected with the reason──▶ Subscribers
//
// A client that speaks xDS itself requests listeners, routes, clusters and endpoints in place of the policy; package xds makes them from it.
//
// A process is known by its certificate: it gets the resource of a pod only if the pod runs under the account of the certificate. What a request
// says about the node is used for nothing else than to choose among the pods of that account.
package ads

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/config"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
)

// Config describes a server. All fields are required, except those with a default.
type Config struct {
	// Identify returns the identity in the certificate of the caller.
	Identify func(ctx context.Context) (Identity, error)
	// Pod returns a pod of an account. It returns an error if there is no such pod under that account.
	Pod func(id Identity, name string) (compile.Pod, error)
	// Compile returns what a process must enforce now.
	Compile func(compile.Process) compile.Compiled
	// Services returns services of a namespace; nil names mean all. Default: resources of xDS clients are not served.
	Services func(namespace string, names []string) []compile.Service
	// TrustDomain is the trust domain of the identities of servers. Empty means that the calls of xDS clients are in plaintext.
	TrustDomain string
	// Changed is called when a subscriber has come, gone, acknowledged or rejected. It must not block. Default: nothing.
	Changed func()
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
}

// Identity is what the certificate of a process says.
type Identity struct{ Namespace, Account string }

// Server pushes policies. Register it as the AggregatedDiscoveryService.
type Server struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	cfg   Config
	cache *cache.LinearCache
	xds   sotw.Server

	// updating is held while policies are compiled and given to the cache, so that an older one cannot replace a newer one.
	updating sync.Mutex

	// mu guards the fields below and is never held together with a call of Config.
	mu      sync.Mutex
	streams map[int64]*stream
}

// New returns a server that serves until ctx ends. run distinguishes runs and replicas of the control plane.
func New(ctx context.Context, run string, cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	s := &Server{cfg: cfg, streams: map[int64]*stream{}}
	s.cache = cache.NewLinearCache(TypeURL, cache.WithVersionPrefix(run+"-"), cache.WithLogger(quiet{}))
	s.xds = sotw.NewServer(ctx, s.caches(), callbacks{s}, config.DeactivateLegacyWildcard())
	return s
}

// caches joins the caches of policies and of the resources of xDS clients.
func (s *Server) caches() *cache.MuxCache {
	mux := &cache.MuxCache{Classify: func(r *cache.Request) string { return r.GetTypeUrl() }, Caches: map[string]cache.Cache{TypeURL: s.cache},
		ClassifyDelta: func(r *cache.DeltaRequest) string { return r.GetTypeUrl() }}
	for _, kind := range xds.Types {
		mux.Caches[kind] = watches{s}
	}
	return mux
}

// StreamAggregatedResources serves one process.
func (s *Server) StreamAggregatedResources(stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return s.xds.StreamHandler(stream, "")
}

// Update compiles the policies of all subscribers again, and pushes those that have changed.
func (s *Server) Update() {
	s.updating.Lock()
	defer s.updating.Unlock()
	for _, id := range s.clients() {
		s.rebuild(id)
	}
	changed := map[string]types.Resource{}
	for _, st := range s.attached() {
		if _, done := changed[st.name]; done {
			continue
		}
		if pod, err := s.cfg.Pod(st.identity, st.process.Name); err == nil {
			st.process.Pod = pod
		}
		compiled := s.cfg.Compile(st.process)
		if s.replace(st, compiled) {
			changed[st.name] = compiled.Policy
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := s.cache.UpdateResources(changed, nil); err != nil {
		s.cfg.Log.Error("pushing policies", "error", err)
	}
}

// clients returns the streams of xDS clients.
func (s *Server) clients() (ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.streams {
		if st.xds != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// attached returns copies of the streams that have subscribed to a policy.
func (s *Server) attached() (all []stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		if st.name != "" && st.xds == nil {
			all = append(all, *st)
		}
	}
	slices.SortFunc(all, func(a, b stream) int { return strings.Compare(a.name, b.name) })
	return all
}

// replace records what the streams of a process are sent, and reports whether its policy has changed.
func (s *Server) replace(st stream, compiled compile.Compiled) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.streams {
		if other.name == st.name && other.xds == nil {
			changed = changed || other.compiled.Policy.GetVersion() != compiled.Policy.GetVersion()
			other.compiled, other.process.Pod = compiled, st.process.Pod
		}
	}
	return changed
}

// attach compiles the policy of a process that has just subscribed.
func (s *Server) attach(id int64, identity Identity, process compile.Process) error {
	s.updating.Lock()
	defer s.updating.Unlock()
	compiled := s.cfg.Compile(process)
	s.mu.Lock()
	st := s.streams[id]
	if st != nil {
		st.identity, st.process, st.name, st.compiled, st.since = identity, process, process.Key(), compiled, time.Now()
	}
	s.mu.Unlock()
	if st == nil {
		return nil
	}
	return s.cache.UpdateResource(process.Key(), compiled.Policy)
}

// detach forgets a stream, and the policy of its process if no other stream of it is left.
func (s *Server) detach(id int64) {
	s.updating.Lock()
	defer s.updating.Unlock()
	s.mu.Lock()
	gone := s.streams[id]
	delete(s.streams, id)
	last := gone != nil && gone.name != "" && gone.xds == nil
	for _, other := range s.streams {
		last = last && (other.name != gone.name || other.xds != nil)
	}
	s.mu.Unlock()
	if !last {
		return
	}
	if err := s.cache.DeleteResource(gone.name); err != nil {
		s.cfg.Log.Error("forgetting a subscriber", "process", gone.name, "error", err)
	}
}

// quiet drops the log of the cache, which has several lines for each push.
type quiet struct{}

// Debugf drops a line.
func (quiet) Debugf(string, ...any) {}

// Infof drops a line.
func (quiet) Infof(string, ...any) {}

// Warnf drops a line.
func (quiet) Warnf(string, ...any) {}

// Errorf drops a line: the calls of the cache return their errors.
func (quiet) Errorf(string, ...any) {}
