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

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestACalleeThatTakesLongerThanTheTimeOutIsInTrouble, even when its caller has time left, and whatever the answer is.
func TestACalleeThatTakesLongerThanTheTimeOutIsInTrouble(t *testing.T) {
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
		{"too late to say what is no failure", 1100 * time.Millisecond, codes.NotFound, nil, StateOpen},
		{"given up by the caller, who was patient", 1100 * time.Millisecond, codes.Canceled, nil, StateOpen},
		{"given up by the caller at once", 0, codes.Canceled, nil, StateClosed},
		{"in the time that the policy gives the method", 1100 * time.Millisecond, codes.OK, patient, StateClosed},
		{"too late for the policy", 3100 * time.Millisecond, codes.OK, patient, StateOpen},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				policy, err := NewPolicy(c.policy)
				if err != nil {
					t.Fatal(err)
				}
				breakers := NewBreakers("caller", BreakerConfig{}, nil, nil)
				client := newClient(ClientConfig{Callee: "callee", Log: quiet, Policy: policy, Breakers: breakers}.withDefaults())
				ctx, done := context.WithTimeout(t.Context(), time.Minute)
				defer done()
				for range 20 { // at once, or the window would pass
					go func() {
						_ = client.unary(ctx, "/s.S/M", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
							time.Sleep(c.took)
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
