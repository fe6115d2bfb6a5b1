package loadgen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// connection returns the connection of a load, and what closes it when the load has ended.
func (s *Server) connection(req *loadgenv1.StartLoadRequest) (conn grpc.ClientConnInterface, closeConn func(), err error) {
	if g := req.GetGateway(); g != nil {
		through, err := s.through(g)
		if err != nil {
			return nil, nil, status.Errorf(codes.InvalidArgument, "connecting to the gateway: %v", err)
		}
		return through, func() { _ = through.Close() }, nil
	}
	conn, ok := s.conns[req.GetTarget()]
	if !ok {
		return nil, nil, status.Errorf(codes.InvalidArgument, "target %q is not in TARGETS of the load generator", req.GetTarget())
	}
	return conn, func() {}, nil
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
	// Each load has breakers of its own: one partner does not share those of another.
	return governance.Dial("dns:///"+g.GetAddress(), governance.ClientConfig{Callee: "gateway", Metrics: p.Metrics, Policy: p.Policy, Tracing: p.Tracing, Log: p.Log,
		Options: []grpc.DialOption{grpc.WithTransportCredentials(transport)}})
}
