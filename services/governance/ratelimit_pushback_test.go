package governance

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// trailed is a call whose trailer is recorded.
type trailed struct {
	grpc.ServerTransportStream
	trailer metadata.MD
}

func (*trailed) SetHeader(metadata.MD) error { return nil }

func (s *trailed) SetTrailer(md metadata.MD) error {
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

func TestPushback_EndsBeforeTheDeadline(t *testing.T) {
	for _, c := range []struct {
		sentence, limit string
		// 0 means none.
		patience time.Duration
		want     string
	}{
		{"a client waits for a token", "tokenBucket: {rate: 0.5}", 3 * time.Second, "2000"},
		{"a token after the deadline is not waited for", "tokenBucket: {rate: 0.5}", 2 * time.Second, "-1"},
		{"a caller without a deadline waits", "tokenBucket: {rate: 0.01}", 0, "100000"},
		{"a caller waits until its turn is near", "leakyBucket: {rate: 1, queue: 1}", 3 * time.Second, "1000"},
		{"a turn after the deadline is not waited for", "leakyBucket: {rate: 1, queue: 1}", 1500 * time.Millisecond, "-1"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			both(t, func(t *testing.T, streaming bool) {
				s := newServing(t, "server: [{rate: {limits: [{"+c.limit+"}]}}]")
				must(t, s.call(t.Context(), streaming, "a.B/C", fine))
				var waiting sync.WaitGroup
				if strings.HasPrefix(c.limit, "leaky") {
					waiting.Go(func() { must(t, s.call(t.Context(), streaming, "a.B/C", fine)) })
					synctest.Wait()
				}
				sent := &trailed{}
				ctx := grpc.NewContextWithServerTransportStream(t.Context(), sent)
				if c.patience > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.patience)
					defer cancel()
				}
				s.refused(s.call(ctx, streaming, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonRateLimited, 1)
				if got := sent.trailer.Get("grpc-retry-pushback-ms"); len(got) != 1 || got[0] != c.want {
					t.Errorf("the pushback is %q, want %s", got, c.want)
				}
				waiting.Wait()
			})
		})
	}
}

// grpc-go waits for a pushback even if it is beyond the deadline.
func TestPushback_BeyondDeadline(t *testing.T) {
	p := policyOf(t, `
server: [{rate: {limits: [{tokenBucket: {rate: 0.01, burst: 1}}]}}]
client: [{method: '*/*', retry: {idempotent: true, maxAttempts: 2, initialBackoff: 1ms, codes: [RESOURCE_EXHAUSTED]}}]
`)
	client := wire(t, fake{}, ServerConfig{Policy: p}, ClientConfig{Timeout: 10 * time.Second, Policy: p})
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	must(t, err)
	start := time.Now()
	_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if after, ok := refusal.RetryDelay(err); refusal.Reason(err) != refusal.ReasonRateLimited || !ok || after < 90*time.Second {
		t.Errorf("got %v, retry after %s", err, after)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Error("the caller waited", took)
	}
}
