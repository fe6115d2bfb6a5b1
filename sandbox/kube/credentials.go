package kube

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
)

// Credentials returns the credentials of a gRPC client that has the certificate in a Secret and expects a server with the given name. They are read
// again for each handshake, so that a long-running command follows renewed certificates and rotated roots as every service does. While the API
// server does not answer, the values read last are used.
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
	// These are the credentials read first. What they say about the protocol does not change.
	credentials.TransportCredentials
	serverName string
	read       func(context.Context) (*tls.Config, error)
	last       *atomic.Pointer[tls.Config]
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
