package contracttest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// Serve runs an in-memory server until stop, which waits for its calls, or until the test ends.
func Serve(t testing.TB, register func(*grpc.Server), options ...grpc.ServerOption) (conn *grpc.ClientConn, stop func()) {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	server := grpc.NewServer(options...)
	register(server)
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipe) }()
	stop = sync.OnceFunc(func() {
		_ = conn.Close()
		server.GracefulStop()
		// ErrServerStopped: it was stopped before it served.
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return conn, stop
}
