package control

import (
	"cmp"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
)

// peers serves control.v1.Peers, and has what the other replicas have sent.
type peers struct {
	controlv1.UnimplementedPeersServer
	plane    *Plane
	stopping <-chan struct{}

	mu sync.Mutex
	// others has the processes of each other replica, by its address.
	others map[string][]ads.State
	// watchers are signalled when a process of this replica has changed; renewals receive the faults whose leases were renewed here.
	watchers map[chan struct{}]bool
	renewals map[chan *controlv1.RenewRequest]bool
}

func newPeers(plane *Plane, stopping <-chan struct{}) *peers {
	return &peers{plane: plane, stopping: stopping, others: map[string][]ads.State{}, watchers: map[chan struct{}]bool{}, renewals: map[chan *controlv1.RenewRequest]bool{}}
}

// touch notes a change of a process of this replica.
func (p *peers) touch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// renewed passes a renewal on to the other replicas. One that is lost because a replica is slow is followed by another one within a second.
func (p *peers) renewed(r *controlv1.RenewRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.renewals {
		select {
		case w <- r:
		default:
		}
	}
}

// subscribers returns the processes of the other replicas.
func (p *peers) subscribers() (all []ads.Subscriber) {
	p.mu.Lock()
	var states []ads.State
	for _, one := range p.others {
		states = append(states, one...)
	}
	p.mu.Unlock()
	for _, s := range states {
		// The pod may have changed since the other replica has sent it.
		if pod, ok := p.plane.Store.Pods(s.Namespace)[s.Name]; ok {
			s.Pod = pod
		}
		all = append(all, s.Compare(p.plane.Store.Compile(s.Process)))
	}
	return all
}

// set replaces the processes of another replica; nil means that it is gone.
func (p *peers) set(address string, states []ads.State) {
	p.mu.Lock()
	if states == nil {
		delete(p.others, address)
	} else {
		p.others[address] = states
	}
	p.mu.Unlock()
	if states == nil {
		p.plane.Hub.ForwardBreakers(address, nil)
	}
	p.plane.notify()
}

// peerInterval is how often a replica sends its processes at most: a push to many is acknowledged by many.
const peerInterval = 50 * time.Millisecond

// Follow streams what the processes of this replica do.
func (p *peers) Follow(_ *controlv1.FollowRequest, stream grpc.ServerStreamingServer[controlv1.PeerUpdate]) error {
	group, ctx := errgroup.WithContext(stream.Context())
	changed, renewals := make(chan struct{}, 1), make(chan *controlv1.RenewRequest, 64)
	p.mu.Lock()
	p.watchers[changed], p.renewals[renewals] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.watchers, changed)
		delete(p.renewals, renewals)
		p.mu.Unlock()
	}()
	var mu sync.Mutex
	send := func(u *controlv1.PeerUpdate) error {
		mu.Lock()
		defer mu.Unlock()
		return stream.Send(u)
	}
	group.Go(func() error {
		return p.plane.Hub.Own(ctx, func(e *telemetryv1.Event) error {
			return send(&controlv1.PeerUpdate{Update: &controlv1.PeerUpdate_Event{Event: e}})
		})
	})
	group.Go(func() error { return p.sendState(ctx, changed, send) })
	group.Go(func() error {
		for {
			select {
			case r := <-renewals:
				if err := send(&controlv1.PeerUpdate{Update: &controlv1.PeerUpdate_Renewed{Renewed: r}}); err != nil {
					return err
				}
			case <-p.stopping:
				return errStopping
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}

// sendState sends the processes of this replica and their breakers whenever they change.
func (p *peers) sendState(ctx context.Context, changed <-chan struct{}, send func(*controlv1.PeerUpdate) error) error {
	breakers := 0
	ticker := time.NewTicker(peerInterval)
	defer ticker.Stop()
	for {
		out := &controlv1.PeerSubscribers{}
		for _, s := range p.plane.ADS.Subscribers() {
			out.Subscribers = append(out.Subscribers, toPeer(s.State))
		}
		if err := send(&controlv1.PeerUpdate{Update: &controlv1.PeerUpdate_Subscribers{Subscribers: out}}); err != nil {
			return err
		}
		for pending := false; !pending; {
			select {
			case <-changed:
				pending = true
			case <-ticker.C:
				if own := p.plane.Hub.OwnBreakers(); len(own) != breakers {
					breakers = len(own)
					if err := send(&controlv1.PeerUpdate{Update: &controlv1.PeerUpdate_Breakers{Breakers: &controlv1.BreakerStates{Breakers: own}}}); err != nil {
						return err
					}
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func toPeer(s ads.State) *controlv1.PeerSubscriber {
	out := &controlv1.PeerSubscriber{Namespace: s.Namespace, Pod: s.Name, Callees: s.Callees, AnyCallee: s.Callees == nil, ConnectedSince: timestamppb.New(s.Since),
		SentVersion: s.Sent, Rejected: s.Rejected, RejectedVersion: s.RejectedVersion, Kind: string(s.Kind), Agent: s.Agent, Served: s.Served, ServedUnknown: s.Served == nil}
	if s.AcknowledgedAny {
		out.AcknowledgedVersion = &s.Acknowledged
	}
	return out
}

func fromPeer(s *controlv1.PeerSubscriber) ads.State {
	out := ads.State{Process: compile.Process{Pod: compile.Pod{Namespace: s.GetNamespace(), Name: s.GetPod()}, Callees: s.GetCallees()}, Since: s.GetConnectedSince().AsTime(),
		Sent: s.GetSentVersion(), Acknowledged: s.GetAcknowledgedVersion(), AcknowledgedAny: s.AcknowledgedVersion != nil, Rejected: s.GetRejected(), RejectedVersion: s.GetRejectedVersion(),
		Kind: xds.Kind(cmp.Or(s.GetKind(), string(xds.Governance))), Agent: s.GetAgent()}
	if out.Callees == nil && !s.GetAnyCallee() {
		out.Callees = []string{}
	}
	if !s.GetServedUnknown() {
		out.Served = append([]string{}, s.GetServed()...)
	}
	return out
}
