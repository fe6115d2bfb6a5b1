package governance

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"
)

// benchClient joins the two in memory: bare grpc-go, or with everything this package adds.
func benchClient(b *testing.B, s *grpc.Server, dial func(...grpc.DialOption) (*grpc.ClientConn, error)) testv1.TestServiceClient {
	b.Helper()
	pipe := bufconn.Listen(1 << 20)
	testv1.RegisterTestServiceServer(s, fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
		answer := &testv1.StreamingOutputCallResponse{}
		for {
			if _, err := s.Recv(); err != nil {
				return nil
			}
			if err := s.Send(answer); err != nil {
				return err
			}
		}
	}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	conn, err := dial(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		<-served
	})
	return testv1.NewTestServiceClient(conn)
}

func bareClient(b *testing.B) testv1.TestServiceClient {
	return benchClient(b, grpc.NewServer(), func(o ...grpc.DialOption) (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///pipe", append(o, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	})
}

func governedClient(b *testing.B) testv1.TestServiceClient {
	metrics := NewMetrics()
	return benchClient(b, Server(ServerConfig{Metrics: metrics, Log: quiet}), func(o ...grpc.DialOption) (*grpc.ClientConn, error) {
		return Dial("passthrough:///pipe", ClientConfig{Callee: "callee", Metrics: metrics, Log: quiet,
			Breakers: NewBreakers("c", BreakerConfig{}, metrics, nil), Options: o})
	})
}

func BenchmarkUnary(b *testing.B) {
	for _, c := range []struct {
		name   string
		client func(*testing.B) testv1.TestServiceClient
	}{{"bare", bareClient}, {"governed", governedClient}} {
		b.Run(c.name, func(b *testing.B) {
			client := c.client(b)
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), time.Second) // as every caller in production has
				if _, err := client.UnaryCall(ctx, &testv1.SimpleRequest{}); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
		})
	}
}

func BenchmarkStreamMessage(b *testing.B) {
	for _, c := range []struct {
		name   string
		client func(*testing.B) testv1.TestServiceClient
	}{{"bare", bareClient}, {"governed", governedClient}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := c.client(b).FullDuplexCall(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			msg := &testv1.StreamingOutputCallRequest{}
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Send(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := s.Recv(); err != nil {
					b.Fatal(err)
				}
			}
			_ = s.CloseSend()
		})
	}
}
