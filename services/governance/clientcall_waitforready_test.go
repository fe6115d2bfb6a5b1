package governance

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// callee is a server in memory that can be reached while it is up.
type callee struct {
	up    atomic.Bool
	dials atomic.Int64
	pipe  *bufconn.Listener
}

var errRefused = errors.New("connection refused")

// dialCallee returns a callee and a connection to it with the defaults. Both end with stop.
func dialCallee(t *testing.T, metrics *Metrics) (c *callee, conn *grpc.ClientConn, stop func()) {
	t.Helper()
	c = &callee{pipe: bufconn.Listen(1 << 20)}
	s := Server(ServerConfig{Log: quiet, MaxAge: 2 * time.Hour})
	testv1.RegisterTestServiceServer(s, fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
		return s.Send(&testv1.StreamingOutputCallResponse{})
	}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(c.pipe) }()
	conn, err := Dial("192.0.2.1:8443", ClientConfig{Callee: "callee", Log: quiet, Metrics: metrics, Options: []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if !c.up.Load() {
				return nil, errRefused
			}
			c.dials.Add(1)
			return c.pipe.DialContext(ctx)
		})}})
	must(t, err)
	return c, conn, func() {
		must(t, conn.Close())
		s.Stop()
		must(t, <-served)
	}
}

// callAll makes calls at once, half of them streams, and returns their errors.
func callAll(t *testing.T, conn *grpc.ClientConn, n int, limit time.Duration, opts ...grpc.CallOption) []error {
	t.Helper()
	stub, errs := testv1.NewTestServiceClient(conn), make([]error, n)
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if i%2 == 0 {
				_, errs[i] = stub.UnaryCall(ctx, &testv1.SimpleRequest{}, opts...)
				return
			}
			stream, err := stub.FullDuplexCall(ctx, opts...)
			if err == nil {
				_, err = stream.Recv()
			}
			errs[i] = err
		})
	}
	calls.Wait()
	return errs
}

func TestWaitForReady_CalleeIsDown(t *testing.T) {
	for _, c := range []struct {
		sentence string
		opts     []grpc.CallOption
		// up is when the callee comes up; 0 means never.
		up, takes time.Duration
		want      codes.Code
		// breaker is the state of the breaker of the unary method afterwards.
		breaker float64
	}{
		{"a call waits until the callee is up", []grpc.CallOption{grpc.WaitForReady(true)}, 4 * time.Second, 0, codes.OK, 0},
		{"a call waits until its deadline", []grpc.CallOption{grpc.WaitForReady(true)}, 0, 10 * time.Second, codes.DeadlineExceeded, 0},
		{"a call that does not wait fails at once", nil, 0, 0, codes.Unavailable, 1},
		{"the last option counts", []grpc.CallOption{grpc.WaitForReady(true), grpc.WaitForReady(false)}, 0, 0, codes.Unavailable, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				metrics := NewMetrics()
				down, conn, stop := dialCallee(t, metrics)
				defer stop()
				conn.Connect()
				synctest.Wait()
				if c.up > 0 {
					defer time.AfterFunc(c.up, func() { down.up.Store(true) }).Stop()
				}
				started := time.Now()
				for _, err := range callAll(t, conn, 60, 10*time.Second, c.opts...) {
					if status.Code(err) != c.want {
						t.Fatalf("got %v, want %s", err, c.want)
					}
				}
				if took := time.Since(started); c.up > 0 && (took < c.up || took > 9*time.Second) || c.up == 0 && took != c.takes {
					t.Errorf("the calls took %s", took)
				}
				if got := metric(t, metrics, "sandbox_breaker_state", "method", unaryMethod); got != c.breaker {
					t.Errorf("the state of the breaker is %v, want %v", got, c.breaker)
				}
				if got := metric(t, metrics, "sandbox_outlier_ejections_total"); got != 0 {
					t.Errorf("%v ejections", got)
				}
			})
		})
	}
}

// A connection without calls is closed after half an hour, and made again for the next call.
func TestIdle_Reconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := NewMetrics()
		there, conn, stop := dialCallee(t, metrics)
		defer stop()
		there.up.Store(true)
		for round := range int64(3) {
			for _, err := range callAll(t, conn, 10, time.Second) {
				must(t, err)
			}
			if got := conn.GetState(); got != connectivity.Ready {
				t.Errorf("after a call the connection is %s", got)
			}
			time.Sleep(29 * time.Minute)
			if got := conn.GetState(); got != connectivity.Ready {
				t.Errorf("within half an hour the connection is %s", got)
			}
			time.Sleep(2 * time.Minute)
			if got := conn.GetState(); got != connectivity.Idle {
				t.Errorf("after half an hour the connection is %s", got)
			}
			if got := there.dials.Load(); got != round+1 {
				t.Errorf("%d connections were made, want %d", got, round+1)
			}
		}
		// The callee goes down while the connection is idle.
		there.up.Store(false)
		for _, err := range callAll(t, conn, 2, time.Second) {
			if status.Code(err) != codes.Unavailable {
				t.Error("while the callee is down:", err)
			}
		}
		there.up.Store(true)
		for _, err := range callAll(t, conn, 2, 5*time.Second, grpc.WaitForReady(true)) {
			must(t, err)
		}
		if got := metric(t, metrics, "sandbox_breaker_transitions_total"); got != 0 {
			t.Errorf("%v transitions of breakers", got)
		}
	})
}
