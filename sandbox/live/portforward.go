package live

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// portForward dials one port of a release from this machine. Its tunnel to a pod is opened by the first dial, and again by the next one after the
// pod is gone.
type portForward struct {
	open func(ctx context.Context) (address string, t tunnel, err error)

	// sem is a semaphore that guards address and tunnel. Unlike waiting for a mutex, waiting for it can be cancelled.
	sem    chan struct{}
	closed chan struct{}
	once   sync.Once

	address string
	// tunnel is nil before the first dial.
	tunnel tunnel
}

var errClosed = errors.New("port-forward closed")

// tunnel is an open connection to one pod.
type tunnel interface {
	Ended() bool
	Close()
}

func newPortForward(client *kube.Client, namespace, release string, port int) *portForward {
	return newPortForwardBy(func(ctx context.Context) (string, tunnel, error) {
		f, err := client.Forward(ctx, namespace, release, port)
		if err != nil {
			return "", nil, err
		}
		return f.Address, f, nil
	})
}

func newPortForwardBy(open func(ctx context.Context) (address string, t tunnel, err error)) *portForward {
	return &portForward{open: open, sem: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (f *portForward) dial(ctx context.Context) (net.Conn, error) {
	address, err := f.reach(ctx)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// reach opens the tunnel if there is none and returns its local address. Opening can block while the node does not answer; other callers still
// return when their own ctx ends.
func (f *portForward) reach(ctx context.Context) (string, error) {
	select {
	case f.sem <- struct{}{}:
		defer func() { <-f.sem }()
	case <-f.closed:
		return "", errClosed
	case <-ctx.Done():
		return "", ctx.Err()
	}
	// The semaphore may have been chosen although closed was ready too.
	select {
	case <-f.closed:
		return "", errClosed
	default:
	}
	ctx, cancel := f.untilClosed(ctx)
	defer cancel()
	if f.tunnel != nil && f.tunnel.Ended() {
		f.tunnel.Close()
		f.tunnel = nil
	}
	if f.tunnel == nil {
		address, t, err := f.open(ctx)
		if err != nil {
			return "", err
		}
		f.address, f.tunnel = address, t
	}
	return f.address, nil
}

// untilClosed returns a context that also ends when f is closed.
func (f *portForward) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-f.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// close is idempotent. It cancels an opening that is in progress and waits for it.
func (f *portForward) close() {
	f.once.Do(func() { close(f.closed) })
	f.sem <- struct{}{}
	defer func() { <-f.sem }()
	if f.tunnel != nil {
		f.tunnel.Close()
		f.tunnel = nil
	}
}

// httpClient returns a client that reaches the release under any host name.
func (f *portForward) httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		// The cluster is on this machine.
		Proxy:       nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dial(ctx) },
	}}
}
