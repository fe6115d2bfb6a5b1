package governance

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestServerRate_LimitsAllMethodsTogether(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "rate: {limits: [{tokenBucket: {rate: 10, burst: 3}}]}\nserver: [{method: a.B/Own, rate: {limits: [{tokenBucket: {rate: 1}}]}}]")
		must(t, s.call(t.Context(), streaming, "a.B/Own", fine))
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		// A call that its method's limit refuses takes no token of the others.
		s.refused(s.call(t.Context(), streaming, "a.B/Own", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 1)
		must(t, s.call(t.Context(), streaming, "a.B/D", fine))
		err := s.call(t.Context(), streaming, "a.B/D", fine)
		if after, _ := refusal.RetryDelay(err); after != 100*time.Millisecond {
			t.Errorf("the fourth call: %v after %s, want a refusal for 100ms", err, after)
		}
		must(t, s.call(t.Context(), streaming, "grpc.health.v1.Health/Check", fine))

		time.Sleep(100 * time.Millisecond)
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		// A new rate keeps the tokens that were used.
		must(t, s.policy.Push(parsed(t, "rate: {limits: [{tokenBucket: {rate: 100, burst: 3}}]}")))
		if err := s.call(t.Context(), streaming, "a.B/C", fine); err == nil {
			t.Error("a push filled the bucket")
		}
		time.Sleep(10 * time.Millisecond)
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		must(t, s.policy.Push(parsed(t, "rate: {}")))
		for range 10 {
			must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		}
	})
}
