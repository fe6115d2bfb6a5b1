package governance

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestTokenBucket_ExactRetryDelay(t *testing.T) {
	for _, rate := range []float64{0.3, 1, 3, 7, 99.9, 1e4} {
		both(t, func(t *testing.T, streaming bool) {
			s := newServing(t, fmt.Sprintf("server: [{rate: {limits: [{tokenBucket: {rate: %g, burst: 3}}]}}]", rate))
			for range 3 {
				must(t, s.call(t.Context(), streaming, "a.B/C", fine))
			}
			for i := range 20 {
				err := s.call(t.Context(), streaming, "a.B/C", fine)
				s.refused(err, codes.ResourceExhausted, refusal.ReasonRateLimited, float64(2*i+1))
				after, _ := refusal.RetryDelay(err)
				if after <= 0 || after.Seconds() > 1/rate+1e-6 {
					t.Fatalf("at %g/s the delay is %s", rate, after)
				}
				if v := detail[*errdetails.QuotaFailure](err).GetViolations(); len(v) != 1 || v[0].GetSubject() != "a.B/C" {
					t.Errorf("violations %v", v)
				}
				time.Sleep(after - time.Microsecond)
				if err := s.call(t.Context(), streaming, "a.B/C", fine); err == nil {
					t.Fatalf("at %g/s a microsecond less than %s is enough", rate, after)
				}
				time.Sleep(time.Microsecond)
				if err := s.call(t.Context(), streaming, "a.B/C", fine); err != nil {
					t.Fatalf("at %g/s waiting %s is not enough: %v", rate, after, err)
				}
			}
		})
	}
}

func TestLeakyBucket_SpacesCalls(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{rate: {limits: [{leakyBucket: {rate: 10, queue: 3}}]}}]")
		start := time.Now()
		var mu sync.Mutex
		var served []time.Duration
		var refused []error
		var calls sync.WaitGroup
		for range 6 {
			calls.Go(func() {
				err := s.call(t.Context(), streaming, "a.B/C", func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					served = append(served, time.Since(start))
					return nil
				})
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					refused = append(refused, err)
				}
			})
		}
		calls.Wait()
		if len(served) != 4 || len(refused) != 2 {
			t.Fatalf("%d served, %d refused, want 4 and 2", len(served), len(refused))
		}
		for i, at := range served {
			if want := time.Duration(i) * 100 * time.Millisecond; (at - want).Abs() > time.Microsecond {
				t.Errorf("call %d was served after %s, want %s", i, at, want)
			}
		}
		if after, _ := refusal.RetryDelay(refused[0]); (after - 100*time.Millisecond).Abs() > time.Microsecond {
			t.Errorf("the delay is %s, want 100ms", after)
		}
		// A caller that gives up while waiting gets an error.
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := s.call(ctx, streaming, "a.B/C", fine); status.Code(err) != codes.DeadlineExceeded {
			t.Error("got", err)
		}
	})
}

func TestRateLimit_KeptAcrossPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{rate: {limits: [{tokenBucket: {rate: 1, burst: 10}}]}}]")
		for range 10 {
			must(t, s.call(t.Context(), false, "a.B/C", fine))
		}
		change(t, s.policy, "version: same")
		change(t, s.policy, "server: [{rate: {limits: [{tokenBucket: {rate: 2, burst: 20}}]}}]")
		// No call came in between, so the limiter still has its spent tokens.
		s.refused(s.call(t.Context(), false, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 1)
		time.Sleep(500 * time.Millisecond)
		// At the new rate.
		must(t, s.call(t.Context(), false, "a.B/C", fine))
		change(t, s.policy, "server: [{rate: {limits: [{leakyBucket: {rate: 1}}, {tokenBucket: {rate: 2, burst: 20}}]}}]")
		s.refused(s.call(t.Context(), false, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 2)
	})
}

func TestRateLimit_SeveralLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "server: [{rate: {limits: [{tokenBucket: {rate: 1, burst: 5}}, {perCaller: true, tokenBucket: {rate: 1, burst: 1}}]}}]")
		limits := s.server.rule(s.server.method("/a.B/C", unaryKind)).limits
		take := func(caller string, want bool, after time.Duration) {
			t.Helper()
			_, refusedFor := limit.Take(time.Now(), limits, caller)
			if (refusedFor == 0) != want || math.Abs((refusedFor-after).Seconds()) > 1e-6 {
				t.Errorf("%s: refused for %s, want %s", caller, refusedFor, after)
			}
		}
		take("a", true, 0)
		for range 10 {
			take("a", false, time.Second)
		}
		for _, caller := range []string{"b", "c", "d", "e"} {
			take(caller, true, 0)
		}
		take("f", false, time.Second)
	})
}
