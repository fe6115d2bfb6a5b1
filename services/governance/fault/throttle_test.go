package fault

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestThrottle_SpacesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := ForMethod([]*policyv1.Fault{{Name: "slow", Kind: &policyv1.Fault_Throttle{Throttle: &policyv1.CallThrottle{Rate: 10}}}}, "pod", "", "a.B/C")
		call := func(ctx context.Context) error {
			_, err := Apply(ctx, faults, func(string) []string { return nil }, func() float64 { return 0 }, func(*Fault) {})
			return err
		}
		start := time.Now()
		var calls sync.WaitGroup
		var served, expired atomic.Int32
		for range 30 {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				switch err := call(ctx); status.Code(err) {
				case codes.OK:
					served.Add(1)
				case codes.DeadlineExceeded:
					expired.Add(1)
					if got := time.Since(start); got != time.Second {
						t.Errorf("a call ended after %s, before its deadline", got)
					}
				default:
					t.Error(err)
				}
			})
		}
		calls.Wait()
		// One at once, then one each 100 ms.
		if served.Load() < 10 || served.Load() > 11 || served.Load()+expired.Load() != 30 {
			t.Errorf("in a second %d calls were let through, and %d waited for their deadline", served.Load(), expired.Load())
		}
		// Those that could not be served have taken no turn.
		time.Sleep(200 * time.Millisecond)
		before := time.Now()
		if err := call(t.Context()); err != nil || time.Since(before) > 100*time.Millisecond {
			t.Errorf("the next call: %v after %s", err, time.Since(before))
		}
	})
}
