package governance

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"
)

// TestServer_MaxAgeOff checks that a connection without a maximum age keeps its streams.
func TestServer_MaxAgeOff(t *testing.T) {
	for age, lives := range map[time.Duration]bool{0: false, Off: true} {
		synctest.Test(t, func(t *testing.T) {
			client := wire(t, echo, ServerConfig{MaxAge: age}, ClientConfig{})
			stream, err := client.FullDuplexCall(t.Context())
			must(t, err)
			time.Sleep(30 * time.Minute)
			// Recv returns the error.
			_ = stream.Send(&testv1.StreamingOutputCallRequest{})
			if _, err := stream.Recv(); (err == nil) != lives {
				t.Errorf("MaxAge %s: after half an hour %v", age, err)
			}
		})
	}
}

// TestDrain_LimitOff checks that a drain without a limit waits for a call, however long it takes.
func TestDrain_LimitOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe, h, started := bufconn.Listen(1<<20), health.NewServer(), make(chan struct{})
		s := Server(ServerConfig{Log: quiet, Health: h, MaxAge: Off})
		testv1.RegisterTestServiceServer(s, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			close(started)
			time.Sleep(5 * time.Minute)
			return &testv1.SimpleResponse{}, nil
		}})
		served := make(chan error, 1)
		go func() { served <- s.Serve(pipe) }()
		conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
		must(t, err)
		defer conn.Close()
		answered := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			_, err := testv1.NewTestServiceClient(conn).UnaryCall(ctx, &testv1.SimpleRequest{})
			answered <- err
		}()
		<-started
		if !Drain(t.Context(), s, h, Off, Off) {
			t.Error("the drain has not finished")
		}
		must(t, <-answered)
		must(t, <-served)
	})
}
