package governance

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// tcpProbes lets the kernel probe the TCP connections of a client, so that a dead peer is noticed. Pings of HTTP/2 would be noticed by the peer: a
// server of grpc-go with its defaults closes a connection on which they come more often than every five minutes.
type tcpProbes struct {
	credentials.TransportCredentials
	// idle is how long a connection may be silent before it is probed, and answer is how long the answer may take.
	idle, answer time.Duration
}

// ClientHandshake starts the probes and does the handshake. It is not a dialer that starts them, because with a dialer of its own a client of
// grpc-go uses no proxy.
func (p tcpProbes) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if tcp, ok := raw.(*net.TCPConn); ok {
		// One probe. More would make no difference on Linux, where grpc-go sets TCP_USER_TIMEOUT to the time of an answer. A connection whose
		// options cannot be set still has calls with deadlines.
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: p.idle, Interval: p.answer, Count: 1})
	}
	return p.TransportCredentials.ClientHandshake(ctx, authority, raw)
}

// Clone returns a copy.
func (p tcpProbes) Clone() credentials.TransportCredentials {
	p.TransportCredentials = p.TransportCredentials.Clone()
	return p
}

// noProbes switches the probes of TCP off, which Go and grpc-go start by default.
type noProbes struct {
	credentials.TransportCredentials
}

// ClientHandshake stops the probes and does the handshake.
func (p noProbes) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetKeepAlive(false)
	}
	return p.TransportCredentials.ClientHandshake(ctx, authority, raw)
}

// Clone returns a copy.
func (p noProbes) Clone() credentials.TransportCredentials {
	p.TransportCredentials = p.TransportCredentials.Clone()
	return p
}
