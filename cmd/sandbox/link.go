package main

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// link dials one port of a release from this machine, over a port-forward that is opened anew whenever its pod is gone.
type link struct {
	open func(ctx context.Context) (address string, t tunnel, err error)

	mu      sync.Mutex
	address string
	tunnel  tunnel // nil before the first dial
}

// tunnel is a port-forward that is open, until it has ended.
type tunnel interface {
	Ended() bool
	Close()
}

func newLink(client *kube.Client, namespace, release string, port int) *link {
	return &link{open: func(ctx context.Context) (string, tunnel, error) {
		f, err := client.Forward(ctx, namespace, release, port)
		if err != nil {
			return "", nil, err
		}
		return f.Address, f, nil
	}}
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
	l.mu.Lock()
	defer l.mu.Unlock()
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

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
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
