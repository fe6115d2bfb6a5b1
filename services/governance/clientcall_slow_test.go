package governance

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestBreaker_SlowCallee checks that a callee that takes longer than the time-out counts as failed, even if its caller has time left, and
// whatever it answers.
func TestBreaker_SlowCallee(t *testing.T) {
	patient := &policyv1.EffectivePolicy{Client: []*policyv1.ClientRule{{Deadline: &policyv1.ClientDeadline{Timeout: durationpb.New(3 * time.Second)}}}}
	for _, c := range []struct {
		sentence string
		took     time.Duration
		answer   codes.Code
		policy   *policyv1.EffectivePolicy
		state    string
	}{
		{"in time", 900 * time.Millisecond, codes.OK, nil, StateClosed},
		{"too late", 1100 * time.Millisecond, codes.OK, nil, StateOpen},
		{"too late, although the code is not a failure", 1100 * time.Millisecond, codes.NotFound, nil, StateOpen},
		{"cancelled by the caller after the time-out", 1100 * time.Millisecond, codes.Canceled, nil, StateOpen},
		{"cancelled by the caller immediately", 0, codes.Canceled, nil, StateClosed},
		{"within the time-out of the policy", 1100 * time.Millisecond, codes.OK, patient, StateClosed},
		{"after the time-out of the policy", 3100 * time.Millisecond, codes.OK, patient, StateOpen},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inForce, err := policy.New(c.policy)
				if err != nil {
					t.Fatal(err)
				}
				breakers := NewBreakers("caller", BreakerConfig{}, nil, nil)
				client := newClient(ClientConfig{Callee: "callee", Log: quiet, Policy: inForce, Breakers: breakers}.withDefaults())
				ctx, done := context.WithTimeout(t.Context(), time.Minute)
				defer done()
				// At once, because the window would pass.
				for range 20 {
					go func() {
						ctx, leave := context.WithCancel(ctx)
						defer leave()
						_ = client.unary(ctx, "/s.S/M", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
							time.Sleep(c.took)
							if c.answer == codes.Canceled {
								leave()
							}
							return status.Error(c.answer, "chosen")
						})
					}()
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if got := breakers.Snapshot(); len(got) != 1 || got[0].State != c.state {
					t.Errorf("got %v, want %s", got, c.state)
				}
			})
		})
	}
}
