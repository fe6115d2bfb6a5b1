// Package control is the control plane: it compiles the policies and faults of a cluster, pushes them to the processes that they concern, records
// who enforces them, and passes on the events of all processes.
//
//	API server ──operator──▶ Store ──compile──▶ ads ──▶ processes, which acknowledge
//	                           │                         │
//	                     lease ┘                   events ▼
//	                                              hub ──▶ watchers
//
// Every replica compiles and serves; only the leader writes the status of objects.
package control

import (
	"context"
	"maps"
	"slices"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/hub"
	"github.com/grpc-sandbox/sandbox/services/control/identity"
	"github.com/grpc-sandbox/sandbox/services/control/partners"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// Plane is one replica of the control plane.
type Plane struct {
	Store    *Store
	Hub      *hub.Hub
	ADS      *ads.Server
	Partners *partners.Service
	identify func(ctx context.Context) (ads.Identity, error)
	peers    *peers
	present  presence
	// changed receives a value after a subscriber has changed.
	changed chan struct{}
}

// Config describes a plane. The zero value of each field selects the default in its comment.
type Config struct {
	// Identify returns the identity of a caller. Default: that of its certificate.
	Identify func(ctx context.Context) (ads.Identity, error)
	// TrustDomain is the trust domain of the identities of servers, for the clients that speak xDS. Default: that of the certificate of this process, or
	// plaintext if it has none.
	TrustDomain string
}

// Register registers the services of the control plane with a server. The plane works while the process serves, and its streams end with ctx.
func Register(ctx context.Context, p *governance.Process, s *grpc.Server, cfg Config) *Plane {
	if cfg.Identify == nil {
		cfg.Identify = identify
	}
	if cfg.TrustDomain == "" && p.Identity != nil {
		cfg.TrustDomain = identity.TrustDomain(p.Identity.Name())
	}
	plane := &Plane{Store: NewStore(), Hub: hub.New(0), identify: cfg.Identify, present: presence{since: time.Now()}, changed: make(chan struct{}, 1)}
	plane.Partners = partners.NewService(p.Stopping, p.Log)
	plane.peers = newPeers(plane, p.Stopping)
	plane.ADS = ads.New(ctx, plane.Hub.Run(), ads.Config{Identify: cfg.Identify, Pod: plane.Store.Pod, Compile: plane.Store.Compile, Services: plane.Store.Services,
		TrustDomain: cfg.TrustDomain, Changed: plane.touch, Log: p.Log})
	discovery.RegisterAggregatedDiscoveryServiceServer(s, plane.ADS)
	telemetryv1.RegisterEventsServer(s, hub.Watcher{Hub: plane.Hub, Stopping: p.Stopping})
	controlv1.RegisterSessionsServer(s, hub.Sessions{Hub: plane.Hub, Source: plane.source, Leases: plane.Store.Leases.Alive, Stopping: p.Stopping})
	controlv1.RegisterLeasesServer(s, leases{store: plane.Store, renewed: plane.peers.renewed})
	controlv1.RegisterPeersServer(s, plane.peers)
	controlv1.RegisterPoliciesServer(s, policies{plane: plane})
	controlv1.RegisterPartnersServer(s, plane.Partners)
	controlv1.RegisterGatewaysServer(s, plane.Partners)
	p.Go(plane.work)
	return plane
}

// Changed receives a value after one or more subscribers have changed.
func (p *Plane) Changed() <-chan struct{} { return p.changed }

// errStopping ends streams when the process is asked to stop.
var errStopping = status.Error(codes.Unavailable, "the control plane is stopping")

// Subscribers returns the processes that receive their policies, from this replica or from another one. A process that is moving from one to the
// other has the newer connection.
func (p *Plane) Subscribers() []ads.Subscriber {
	newest := map[string]ads.Subscriber{}
	for _, s := range append(p.ADS.Subscribers(), p.peers.subscribers()...) {
		key := s.Key() + " " + string(s.Kind)
		if old, ok := newest[key]; !ok || old.Since.Before(s.Since) {
			newest[key] = s
		}
	}
	all := slices.Collect(maps.Values(newest))
	ads.Sort(all)
	return all
}

// touch notes a change of a process of this replica.
func (p *Plane) touch() {
	p.peers.touch()
	p.notify()
}

func (p *Plane) notify() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// gather is how long changes are gathered before they are pushed: objects that are applied together, and pods that become ready together, are pushed
// once. tick is how soon the end of a fault is noticed.
const (
	gather = 10 * time.Millisecond
	tick   = 100 * time.Millisecond
)

// work pushes changes until ctx ends.
func (p *Plane) work(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			p.Store.Tick()
		case <-p.Store.Changed():
			timer := time.NewTimer(gather)
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil
			case <-timer.C:
			}
			p.ADS.Update()
			p.touch()
		}
	}
}

// identify returns the identity in the certificate of a caller.
func identify(ctx context.Context) (ads.Identity, error) {
	caller := governance.Caller(ctx)
	namespace, account, ok := identity.Parse(caller)
	if !ok {
		return ads.Identity{}, status.Errorf(codes.Unauthenticated, "the certificate has no SPIFFE ID of the form spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT; it has %q", caller)
	}
	return ads.Identity{Namespace: namespace, Account: account}, nil
}

// source returns the process of a caller that says it is a pod.
func (p *Plane) source(ctx context.Context, pod, service string) (hub.Source, error) {
	id, err := p.identify(ctx)
	if err != nil {
		return hub.Source{}, err
	}
	if _, err := p.Store.Pod(id, pod); err != nil {
		return hub.Source{}, err
	}
	return hub.Source{Namespace: id.Namespace, Pod: pod, Service: service}, nil
}
