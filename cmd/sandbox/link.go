package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// link dials one port of a release from this machine, over a port-forward that is opened anew whenever its pod is gone.
type link struct {
	open func(ctx context.Context) (address string, t tunnel, err error)

	turn   chan struct{} // holds one while somebody has what follows
	closed chan struct{}
	once   sync.Once

	address string
	tunnel  tunnel // nil before the first dial
}

var errClosed = errors.New("the way to the cluster is closed")

// tunnel is a port-forward that is open, until it has ended.
type tunnel interface {
	Ended() bool
	Close()
}

func newLink(client *kube.Client, namespace, release string, port int) *link {
	return newLinkBy(func(ctx context.Context) (string, tunnel, error) {
		f, err := client.Forward(ctx, namespace, release, port)
		if err != nil {
			return "", nil, err
		}
		return f.Address, f, nil
	})
}

func newLinkBy(open func(ctx context.Context) (address string, t tunnel, err error)) *link {
	return &link{open: open, turn: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (l *link) dial(ctx context.Context) (net.Conn, error) {
	address, err := l.reach(ctx)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// reach sees to it that there is a way to the release, and returns where it begins.
func (l *link) reach(ctx context.Context) (string, error) {
	select { // a node that does not answer may hold up who opens; nobody else is to wait longer than he wants
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-l.closed:
		return "", errClosed
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case <-l.closed: // and both were ready
		return "", errClosed
	default:
	}
	ctx, cancel := l.untilClosed(ctx)
	defer cancel()
	if l.tunnel != nil && l.tunnel.Ended() {
		l.tunnel.Close()
		l.tunnel = nil
	}
	if l.tunnel == nil {
		address, t, err := l.open(ctx)
		if err != nil {
			return "", err
		}
		l.address, l.tunnel = address, t
	}
	return l.address, nil
}

// untilClosed is ctx that ends with the link too.
func (l *link) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-l.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (l *link) close() {
	l.once.Do(func() { close(l.closed) })
	l.turn <- struct{}{} // who opens ends soon
	defer func() { <-l.turn }()
	if l.tunnel != nil {
		l.tunnel.Close()
		l.tunnel = nil
	}
}

// httpClient reaches the release with any host name in the URL.
func (l *link) httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:       nil, // the cluster is on this machine
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) },
	}}
}
