package loadgen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// connection returns the connection of a load. gateway is the same one if the load is sent through a gateway, and nil otherwise.
func (s *Server) connection(ctx context.Context, req *loadgenv1.StartLoadRequest) (conn invoker, gateway *gatewayConn, err error) {
	if g := req.GetGateway(); g != nil {
		through, err := s.dialGateway(ctx, g)
		if err != nil {
			return nil, nil, err
		}
		gateway = newGatewayConn(through)
		return gateway, gateway, nil
	}
	conn, ok := s.conns[req.GetTarget()]
	if !ok {
		return nil, nil, status.Errorf(codes.InvalidArgument, "target %q is not in TARGETS of the load generator", req.GetTarget())
	}
	return conn, nil, nil
}

// connectLimit bounds how long a load waits for its connection to a gateway. Without one it starts all the same: its calls show what is wrong.
const connectLimit = 2 * time.Second

// dialGateway connects to a gateway. The connections to targets exist when a load starts; without this one, the calls of a fast load would pile up, and open
// the breaker, before the first is sent.
func (s *Server) dialGateway(ctx context.Context, g *loadgenv1.Gateway) (*grpc.ClientConn, error) {
	conn, err := s.through(g)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "connecting to the gateway: %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready && state != connectivity.TransientFailure; state = conn.GetState() {
		if !conn.WaitForStateChange(limited, state) {
			break
		}
	}
	return conn, nil
}

// SetGateway replaces the gateway and the certificate of a running load.
func (s *Server) SetGateway(ctx context.Context, req *loadgenv1.SetGatewayRequest) (*loadgenv1.LoadStats, error) {
	l, err := s.loads.get(req.GetName())
	if err != nil {
		return nil, asStatus(req.GetName(), err)
	}
	if l.gateway == nil {
		return nil, status.Errorf(codes.FailedPrecondition, "load %q is not sent through a gateway", req.GetName())
	}
	through, err := s.dialGateway(ctx, req.GetGateway())
	if err != nil {
		return nil, err
	}
	if !l.gateway.replace(through) {
		_ = through.Close()
		return nil, asStatus(req.GetName(), errNoSuchLoad)
	}
	s.event(req.GetName(), "gateway changed")
	return l.stats()
}

// throughGateway connects to a gateway with the certificate of a partner, outside the mesh as far as identity goes.
func throughGateway(p *governance.Process, g *loadgenv1.Gateway) (*grpc.ClientConn, error) {
	pair, err := tls.X509KeyPair(g.GetCertificatePem(), g.GetKeyPem())
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of the partner: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(g.GetRootsPem()) {
		return nil, errors.New("reading the roots of the gateway: there is no certificate")
	}
	host, _, err := net.SplitHostPort(g.GetAddress())
	if err != nil {
		return nil, fmt.Errorf("reading the address of the gateway: %w", err)
	}
	transport := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: host})
	// Each load has breakers of its own: one partner does not share those of another. A partner calls without asking for the health first, so that what the
	// gateway refuses is refused for each call, with its code.
	return governance.Dial("dns:///"+g.GetAddress(), governance.ClientConfig{Callee: "gateway", Metrics: p.Metrics, Policy: p.Policy, Tracing: p.Tracing, Log: p.Log,
		Options: []grpc.DialOption{grpc.WithTransportCredentials(transport), grpc.WithDisableHealthCheck()}})
}
