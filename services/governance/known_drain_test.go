package governance

// Reproduces: DRAIN_LIMIT has no effect if a handler ignores its context (a CGO call, a driver without context, a plain loop): Drain calls
// Stop after the limit and then waits for the GracefulStop goroutine, which waits for every handler.

import (
	"context"
	"testing"
	"time"

	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

func TestDrainLimit_HandlerIgnoresContext(t *testing.T) {
	knownfailures.Listed(t)
	entered, release := make(chan struct{}), make(chan struct{})
	time.AfterFunc(6*time.Second, func() { close(release) })
	at, stop, ended := running(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		close(entered)
		<-release
		return &testv1.SimpleResponse{}, nil
	}}, func(c *Config) { c.DrainDelay, c.DrainLimit = 0, 100*time.Millisecond })
	go func() {
		_, _ = testv1.NewTestServiceClient(plain(t, at.Service)).UnaryCall(context.Background(), &testv1.SimpleRequest{})
	}()
	<-entered
	stopped := time.Now()
	stop()
	<-ended //nolint:errcheck // the test is not about the result of Run
	took := time.Since(stopped)
	t.Logf("DRAIN_LIMIT 100ms; Run returned after %s", took.Round(10*time.Millisecond))
	if took > 2*time.Second {
		t.Error("the drain has no limit")
	}
}
