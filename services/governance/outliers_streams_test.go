package governance

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// openAndLeave opens a stream, and leaves it after its first message.
func openAndLeave(client testv1.TestServiceClient) error {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	s, err := client.FullDuplexCall(ctx)
	if err == nil {
		_, err = s.Recv()
	}
	return err
}

// TestOutliers_StreamsReadmit checks that a callee that is called by streams only gets a recovered replica back with the first message of a trial.
func TestOutliers_StreamsReadmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		callee := newReplicatedStreams(t, 3, nil, func(s duplex, i int) error {
			if i == 1 && broken.Load() {
				return status.Error(codes.Unavailable, "chosen")
			}
			return live(s)
		})
		metrics := NewMetrics()
		client := callee.dial(t, ClientConfig{Metrics: metrics, Breakers: neverOpen(), Policy: policyOf(t, "connections: [{slowStart: {window: 30s}}]")})
		_ = openAndLeave(client)
		// The other replicas are no longer new.
		time.Sleep(time.Minute)
		for range 30 {
			_ = openAndLeave(client)
			synctest.Wait()
		}
		if got := metric(t, metrics, "sandbox_outlier_ejected", "callee", "callee"); got != 1 {
			t.Fatalf("%v replicas are ejected, want 1", got)
		}
		broken.Store(false)
		before := callee.served[1].Load()
		for range 300 {
			time.Sleep(time.Second)
			_ = openAndLeave(client)
		}
		if got := callee.served[1].Load() - before; got < 80 {
			t.Errorf("the recovered replica got %d of 300 streams", got)
		}
		if got := metric(t, metrics, "sandbox_outlier_ejected", "callee", "callee"); got != 0 {
			t.Errorf("%v replicas are ejected, want 0", got)
		}
		// It starts slowly when it is in use again.
		if got := metric(t, metrics, "sandbox_slow_start_deferred_total"); got == 0 {
			t.Error("the readmitted replica got its full share at once")
		}
	})
}

// TestOutliers_StreamsFailLater checks that a replica is ejected if its streams answer and then fail.
func TestOutliers_StreamsFailLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callee := newReplicatedStreams(t, 3, nil, func(s duplex, i int) error {
			if i == 1 {
				_ = s.Send(&testv1.StreamingOutputCallResponse{})
				return status.Error(codes.Internal, "chosen")
			}
			return live(s)
		})
		metrics := NewMetrics()
		client := callee.dial(t, ClientConfig{Metrics: metrics, Breakers: neverOpen()})
		for range 30 {
			ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
			s, err := client.FullDuplexCall(ctx)
			for err == nil {
				_, err = s.Recv()
			}
			leave()
		}
		if got := metric(t, metrics, "sandbox_outlier_ejections_total"); got == 0 {
			t.Error("the replica was never ejected")
		}
	})
}

// TestOutliers_RareFailuresOfStreams checks that single failures between working streams eject no replica.
func TestOutliers_RareFailuresOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		callee := newReplicatedStreams(t, 3, nil, func(s duplex, i int) error {
			if i == 1 && broken.CompareAndSwap(true, false) {
				return status.Error(codes.Unavailable, "chosen")
			}
			return live(s)
		})
		metrics := NewMetrics()
		client := callee.dial(t, ClientConfig{Metrics: metrics, Breakers: neverOpen()})
		for range 8 {
			broken.Store(true)
			for range 60 {
				_ = openAndLeave(client)
				time.Sleep(10 * time.Second)
			}
		}
		if got := metric(t, metrics, "sandbox_outlier_ejections_total"); got != 0 {
			t.Errorf("%v ejections after 8 failures, each 10 minutes after the one before", got)
		}
	})
}
