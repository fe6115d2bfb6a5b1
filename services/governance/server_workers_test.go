package governance

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
)

// TestServer_WorkersServeCalls checks that a call is served by a goroutine that already exists, unless the program says otherwise.
func TestServer_WorkersServeCalls(t *testing.T) {
	for name, c := range map[string]struct {
		options []grpc.ServerOption
		reused  bool
	}{
		"default":      {nil, true},
		"switched off": {[]grpc.ServerOption{grpc.NumStreamWorkers(0)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			stack := ""
			handler := fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				stack = string(debug.Stack())
				return &testv1.SimpleResponse{}, nil
			}}
			_, err := wire(t, handler, ServerConfig{Options: c.options}, ClientConfig{}).UnaryCall(t.Context(), &testv1.SimpleRequest{})
			must(t, err)
			if got := strings.Contains(stack, "serverWorker"); got != c.reused {
				t.Errorf("served by a worker: %t, want %t; the stack of the handler:\n%s", got, c.reused, stack)
			}
		})
	}
}

// TestServer_MoreCallsThanWorkers checks that calls that wait for each other are all served at the same time.
func TestServer_MoreCallsThanWorkers(t *testing.T) {
	n := 4 * (runtime.GOMAXPROCS(0) + 1)
	arrived, all := make(chan struct{}, n), make(chan struct{})
	client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		arrived <- struct{}{}
		select {
		case <-all:
			return &testv1.SimpleResponse{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, ServerConfig{Policy: policyOf(t, "shed: {disabled: true}")}, ClientConfig{})
	calls, ctx := errgroup.WithContext(t.Context())
	for range n {
		calls.Go(func() error {
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			return err
		})
	}
	for range n {
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatalf("not all calls were served at the same time: %v", calls.Wait())
		}
	}
	close(all)
	must(t, calls.Wait())
}
