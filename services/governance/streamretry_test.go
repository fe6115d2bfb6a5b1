package governance

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

type duplexServer = grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]

// TestStreamRetry_RulesWithPercent checks that streams follow the rules without percent, that the budget is counted accordingly, and that a rule which
// says something else is reported once.
func TestStreamRetry_RulesWithPercent(t *testing.T) {
	const three, none = "retry: {idempotent: true, maxAttempts: 3, initialBackoff: 1ms}", "retry: {idempotent: true, maxAttempts: 1}"
	for _, c := range []struct {
		sentence, text string
		attempts       int64
		tokens         float64
		reports        int
	}{
		{"a retry of a share", "client: [{percent: 10, " + three + "}]", 1, 10, 1},
		{"a share without retries", "client: [{" + three + "}, {percent: 10, " + none + "}]", 3, 7, 1},
		{"a share with the same retry", "client: [{" + three + "}, {percent: 10, " + three + "}]", 3, 7, 0},
		{"a share of another part", "client: [{" + three + "}, {percent: 10, deadline: {streamTimeout: 10s}}]", 3, 7, 0},
		{"another method", "client: [{method: grpc.testing.TestService/UnaryCall, percent: 10, " + three + "}]", 1, 10, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := &flaky{code: codes.Unavailable}
			f.fails.Store(3)
			metrics, events := NewMetrics(), NewEvents(0)
			var log bytes.Buffer
			client := wireWith(t, f.fake(), ServerConfig{Log: quiet}, ClientConfig{Metrics: metrics, Events: events, Log: slog.New(slog.NewTextHandler(&log, nil)), random: in, Policy: policyOf(t, c.text)})
			for i := range 2 {
				s, err := client.FullDuplexCall(t.Context())
				must(t, err)
				if _, err = s.Recv(); i > 0 {
					break
				}
				if status.Code(err) != codes.Unavailable || f.served.Load() != c.attempts {
					t.Errorf("%d attempts, %v; want %d", f.served.Load(), err, c.attempts)
				}
				if got := metric(t, metrics, "sandbox_retry_budget_tokens"); got != c.tokens || metric(t, metrics, "sandbox_retry_withheld_total") != 0 {
					t.Errorf("%v tokens are left, want %v", got, c.tokens)
				}
			}
			reported := 0
			kept, _, _ := events.After(0)
			for _, e := range kept {
				if e.Kind == KindPolicy && e.Labels["result"] == "approximated" && e.Subject == "callee/grpc.testing.TestService/FullDuplexCall" {
					reported++
				}
			}
			if logged := strings.Count(log.String(), "does not apply to streams"); reported != c.reports || logged != c.reports {
				t.Errorf("%d events and %d log records, want %d", reported, logged, c.reports)
			}
		})
	}
}

// TestStreamRetry_NotOfARepeatedCall checks that a stream which is repeated already is not repeated again by what it opens in turn.
func TestStreamRetry_NotOfARepeatedCall(t *testing.T) {
	const repeated = "client: [{retry: {idempotent: true, maxAttempts: 3, initialBackoff: 1ms}}]\nconnections: [{retryBudget: {maxTokens: 1000}}]"
	var last atomic.Int64
	back := wire(t, fake{stream: func(s duplexServer) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		last.Add(1)
		return errDown
	}}, ServerConfig{}, ClientConfig{Policy: policyOf(t, repeated)})
	open := func(ctx context.Context, client testv1.TestServiceClient) error {
		s, err := client.FullDuplexCall(ctx)
		if err != nil {
			return err
		}
		if err = s.Send(&testv1.StreamingOutputCallRequest{}); err != nil {
			return err
		}
		_, err = s.Recv()
		return err
	}
	front := wire(t, fake{stream: func(s duplexServer) error { return open(s.Context(), back) }}, ServerConfig{}, ClientConfig{Policy: policyOf(t, repeated)})
	if err := open(t.Context(), front); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	// The first attempt may be repeated behind, the two others not.
	if got := last.Load(); got != 5 {
		t.Errorf("the last service was called %d times, want 3 for the first attempt and one for each of the other two", got)
	}
}
