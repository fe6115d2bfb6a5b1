package control

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// Replicas finds and follows the other replicas of the control plane.
type Replicas struct {
	// Find returns the addresses of the other replicas.
	Find func(ctx context.Context) ([]string, error)
	// Dial connects to one.
	Dial func(address string) (*grpc.ClientConn, error)
}

// The replicas are looked for every findInterval. A connection that was lost is made again after retryInterval.
const (
	findInterval  = 2 * time.Second
	retryInterval = 500 * time.Millisecond
)

// Lookup returns a function that finds the other pods behind a headless service.
func Lookup(service, port, self string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		hosts, err := net.DefaultResolver.LookupHost(ctx, service)
		if err != nil {
			return nil, err
		}
		var others []string
		for _, host := range hosts {
			if host != self {
				others = append(others, net.JoinHostPort(host, port))
			}
		}
		return others, nil
	}
}

// Follow receives what the processes of the other replicas do, until ctx ends.
func (p *Plane) Follow(ctx context.Context, r Replicas) error {
	following := map[string]context.CancelFunc{}
	var all sync.WaitGroup
	defer all.Wait()
	for {
		// A failed look-up keeps the connections: a name without a ready pod is not found.
		if others, err := r.Find(ctx); err == nil {
			for address, stop := range following {
				if !slices.Contains(others, address) {
					stop()
					delete(following, address)
				}
			}
			for _, address := range others {
				if following[address] != nil {
					continue
				}
				one, stop := context.WithCancel(ctx)
				following[address] = stop
				all.Go(func() { p.followOne(one, address, r.Dial) })
			}
		}
		if pause.For(ctx, findInterval) != nil {
			for _, stop := range following {
				stop()
			}
			return nil
		}
	}
}

func (p *Plane) followOne(ctx context.Context, address string, dial func(string) (*grpc.ClientConn, error)) {
	defer p.peers.set(address, nil)
	conn, err := dial(address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	for {
		if stream, err := controlv1.NewPeersClient(conn).Follow(ctx, &controlv1.FollowRequest{}); err == nil {
			for p.receive(address, stream) == nil {
				continue
			}
			p.peers.set(address, nil)
		}
		if pause.For(ctx, retryInterval) != nil {
			return
		}
	}
}

// receive applies one update of another replica.
func (p *Plane) receive(address string, stream grpc.ServerStreamingClient[controlv1.PeerUpdate]) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	switch {
	case m.GetSubscribers() != nil:
		states := []ads.State{}
		for _, s := range m.GetSubscribers().GetSubscribers() {
			states = append(states, fromPeer(s))
		}
		p.peers.set(address, states)
	case m.GetEvent() != nil:
		p.Hub.Forward(m.GetEvent())
	case m.GetBreakers() != nil:
		p.Hub.ForwardBreakers(address, m.GetBreakers().GetBreakers())
	case m.GetRenewed() != nil:
		p.Store.Leases.Renew(m.GetRenewed().GetNamespace(), m.GetRenewed().GetName())
	}
	return nil
}
