package kube

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
)

// Credentials are those of a gRPC client that has the certificate in a Secret and expects a server of a certain name. They are read again for each
// handshake, so that a command that runs for long follows renewed certificates and replaced roots as every service does. While the API server does
// not answer, what was read last is used.
func (c *Client) Credentials(ctx context.Context, namespace, secret, serverName string) (credentials.TransportCredentials, error) {
	return freshCredentials(ctx, serverName, func(ctx context.Context) (*tls.Config, error) { return c.Identity(ctx, namespace, secret) })
}

func freshCredentials(ctx context.Context, serverName string, read func(context.Context) (*tls.Config, error)) (credentials.TransportCredentials, error) {
	first, err := read(ctx)
	if err != nil {
		return nil, err
	}
	first.ServerName = serverName
	f := &fresh{TransportCredentials: credentials.NewTLS(first), serverName: serverName, read: read, last: &atomic.Pointer[tls.Config]{}}
	f.last.Store(first)
	return f, nil
}

type fresh struct {
	credentials.TransportCredentials // with what was read first; what it says of itself does not change
	serverName                       string
	read                             func(context.Context) (*tls.Config, error)
	last                             *atomic.Pointer[tls.Config]
}

func (f *fresh) ClientHandshake(ctx context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	config, err := f.read(ctx)
	if err != nil {
		config = f.last.Load()
	} else {
		config.ServerName = f.serverName
		f.last.Store(config)
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, f.serverName, conn)
}

func (f *fresh) Clone() credentials.TransportCredentials {
	copied := *f
	copied.TransportCredentials = f.TransportCredentials.Clone()
	return &copied
}
