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
	client             *kube.Client
	namespace, release string
	port               int

	mu      sync.Mutex
	forward *kube.Forward
}

func (l *link) dial(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.forward != nil && l.forward.Ended() {
		l.forward.Close()
		l.forward = nil
	}
	if l.forward == nil {
		f, err := l.client.Forward(ctx, l.namespace, l.release, l.port)
		if err != nil {
			return nil, err
		}
		l.forward = f
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", l.forward.Address)
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.forward != nil {
		l.forward.Close()
		l.forward = nil
	}
}

// httpClient reaches the release with any host name in the URL.
func (l *link) httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:       nil, // the cluster is on this machine
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) },
	}}
}
