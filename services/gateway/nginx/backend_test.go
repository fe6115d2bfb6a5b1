package nginx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// backend is a service of the mesh: TLS 1.3 with client certificates, and connections that are closed at a certain age.
type backend struct {
	testv1.UnimplementedTestServiceServer
	address string
	server  *grpc.Server
	calls   atomic.Int64
	seen    chan metadata.MD
	until   chan time.Time
}

func startBackend(t *testing.T, mesh *pair) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(mesh.cert)
	own := issue(t, mesh, "testservice", func(c *x509.Certificate) { c.DNSNames = []string{"testservice"} })
	b := &backend{address: l.Addr().String(), seen: make(chan metadata.MD, 10000), until: make(chan time.Time, 10000)}
	// Governance accepts messages of 16 MiB, too.
	b.server = grpc.NewServer(grpc.MaxRecvMsgSize(16<<20), grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own.tls()}, ClientCAs: roots,
		ClientAuth: tls.RequireAndVerifyClientCert})), grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 30 * time.Second, MaxConnectionAgeGrace: 10 * time.Second}))
	testv1.RegisterTestServiceServer(b.server, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.server.Serve(l)
	}()
	t.Cleanup(func() {
		b.server.Stop()
		<-done
	})
	return b
}

// UnaryCall returns the payload, or an error with a reason and a time to try again if the request asks for a status.
func (b *backend) UnaryCall(ctx context.Context, r *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	b.calls.Add(1)
	md, _ := metadata.FromIncomingContext(ctx)
	b.seen <- md
	at, _ := ctx.Deadline()
	b.until <- at
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-serving-pod", "pod-0", "x-answer", "header"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-end", "trailer"))
	if s := r.GetResponseStatus(); s != nil {
		return nil, refusal.New(codes.Code(s.GetCode()), "SOME_REASON", s.GetMessage(), refusal.After(1500*time.Millisecond)) //nolint:gosec // a code
	}
	return &testv1.SimpleResponse{Payload: r.GetPayload()}, nil
}

// EmptyCall waits until the caller leaves.
func (b *backend) EmptyCall(ctx context.Context, _ *testv1.Empty) (*testv1.Empty, error) {
	b.calls.Add(1)
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

// FullDuplexCall answers each message.
func (b *backend) FullDuplexCall(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
	b.calls.Add(1)
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Send(&testv1.StreamingOutputCallResponse{Payload: r.GetPayload()}); err != nil {
			return err
		}
	}
}
