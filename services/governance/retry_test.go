package governance

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

func TestRetry_AnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callee := newReplicated(t, 3, func(_ context.Context, i int) error {
			if i == 2 {
				return nil
			}
			return status.Error(codes.Unavailable, "chosen")
		})
		client := callee.dial(t, ClientConfig{Policy: policyOf(t,
			"client: [{retry: {idempotent: true, maxAttempts: 3, initialBackoff: 1ms}}]\nconnections: [{retryBudget: {maxTokens: 1000}, outlierEjection: {disabled: true}}]")})
		for n := range 30 {
			if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
				t.Errorf("call %d: %v, although the third replica works", n, err)
			}
		}
	})
}

func TestRetry_PerTryTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			if calls.Add(1) == 1 {
				<-ctx.Done()
			}
			return &testv1.SimpleResponse{}, ctx.Err()
		}}, ServerConfig{}, ClientConfig{Policy: policyOf(t, "client: [{retry: {idempotent: true, maxAttempts: 2, initialBackoff: 1ms, perTryTimeout: 100ms}}]")})
		start := time.Now()
		if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 85*time.Millisecond || took > 110*time.Millisecond {
			t.Errorf("the call took %s, want about the time-out of one attempt", took)
		}
	})
}

// TestRetry_NotOfARepeatedCall checks that a call which is repeated already is not repeated again by what it calls in turn.
func TestRetry_NotOfARepeatedCall(t *testing.T) {
	const repeated = "client: [{retry: {idempotent: true, maxAttempts: 3, initialBackoff: 1ms}}]\nconnections: [{retryBudget: {maxTokens: 1000}}]"
	for name, policy := range map[string]string{"repeated": repeated,
		"hedged": "client: [{hedge: {idempotent: true, delay: 1ms, maxAttempts: 3}}]\nconnections: [{retryBudget: {maxTokens: 1000}}]"} {
		t.Run(name, func(t *testing.T) {
			var last atomic.Int64
			back := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				last.Add(1)
				return nil, status.Error(codes.Unavailable, "chosen")
			}}, ServerConfig{}, ClientConfig{Policy: policyOf(t, repeated)})
			front := wire(t, fake{unary: func(ctx context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				return back.UnaryCall(ctx, req)
			}}, ServerConfig{}, ClientConfig{Policy: policyOf(t, policy)})
			_, _ = front.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			// The first attempt may be repeated behind, the others not.
			if got := last.Load(); got > 5 {
				t.Errorf("the last service was called %d times, want at most 3 and one for each further attempt of the first", got)
			}
		})
	}
}

func TestRetry_DelayBeyondDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{code: codes.Unavailable}
		f.fails.Store(5)
		client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Second, Policy: policyOf(t, "client: [{retry: {idempotent: true, maxAttempts: 3, initialBackoff: 10s, maxBackoff: 10s}}]")})
		start := time.Now()
		_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		if took := time.Since(start); status.Code(err) != codes.Unavailable || took > 10*time.Millisecond {
			t.Errorf("got %v after %s, want the error of the first attempt at once", err, took)
		}
	})
}

// TestHedge_SlowFirstAttempt checks that the second attempt answers, that the first one is cancelled, and that its metadata tells which it is.
func TestHedge_SlowFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var attempts []string
		cancelled := make(chan struct{}, 1)
		metrics := NewMetrics()
		client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			previous := metadata.ValueFromIncomingContext(ctx, previousAttempts)
			mu.Lock()
			attempts = append(attempts, append(previous, "first")[0])
			first := len(attempts) == 1
			mu.Unlock()
			if first {
				<-ctx.Done()
				cancelled <- struct{}{}
				return nil, ctx.Err()
			}
			return &testv1.SimpleResponse{Username: "second"}, pause.For(ctx, 5*time.Millisecond)
		}}, ServerConfig{Pod: "pod-1"}, ClientConfig{Metrics: metrics, Timeout: 10 * time.Second, Policy: policyOf(t, "client: [{hedge: {idempotent: true, delay: 50ms}}]")})
		start := time.Now()
		var header metadata.MD
		got, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}, grpc.Header(&header))
		if took := time.Since(start); err != nil || got.GetUsername() != "second" || took != 55*time.Millisecond {
			t.Errorf("%v, %v after %s; want the answer of the second attempt after 55ms", got, err, took)
		}
		// The race detector notices if the cancelled attempt still writes here.
		if pods := header.Get(PodHeader); len(pods) != 1 || pods[0] != "pod-1" {
			t.Errorf("the header of the answer names the pods %v", pods)
		}
		<-cancelled
		mu.Lock()
		defer mu.Unlock()
		if len(attempts) != 2 || attempts[0] != "first" || attempts[1] != "1" {
			t.Errorf("attempts %v", attempts)
		}
		if n := metric(t, metrics, "sandbox_attempts_total", "kind", "hedge"); n != 1 {
			t.Errorf("%v hedges counted, want 1", n)
		}
	})
}

// TestHedge_DeadlinePasses checks that the caller gets a status, and the error of the callee with its trailer.
func TestHedge_DeadlinePasses(t *testing.T) {
	for name, c := range map[string]struct {
		hangs bool
		want  codes.Code
	}{"a callee that hangs": {true, codes.DeadlineExceeded}, "a callee that refuses": {false, codes.NotFound}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				client := wire(t, fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
					if c.hangs {
						<-release
					}
					return nil, status.Error(codes.NotFound, "chosen")
				}}, ServerConfig{Pod: "pod-1"}, ClientConfig{Timeout: time.Second, Policy: policyOf(t, "client: [{hedge: {idempotent: true, delay: 50ms}}]")})
				finished := 0
				var trailer metadata.MD
				_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}, grpc.Trailer(&trailer), grpc.OnFinish(func(error) { finished++ }))
				if status.Code(err) != c.want || finished != 1 {
					t.Errorf("%v, the callback ran %d times", err, finished)
				}
				if pods := trailer.Get(PodHeader); !c.hangs && len(pods) != 1 {
					t.Errorf("the trailer is %v", trailer)
				}
			})
		})
	}
}

// TestHedge_CancelledAttemptsSpendNoBudget checks that an attempt which lost takes no token, also if the policy says that CANCELLED is a failure.
func TestHedge_CancelledAttemptsSpendNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int64
		metrics := NewMetrics()
		client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			if served.Add(1)%2 == 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return &testv1.SimpleResponse{}, nil
		}}, ServerConfig{}, ClientConfig{Metrics: metrics, Timeout: 10 * time.Second,
			Policy: policyOf(t, "client: [{hedge: {idempotent: true, delay: 50ms}, classify: {failures: [CANCELLED]}}]")})
		for range 20 {
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			must(t, err)
			synctest.Wait()
		}
		if got := metric(t, metrics, "sandbox_retry_budget_tokens"); got != 10 {
			t.Errorf("%v tokens are left, want 10", got)
		}
	})
}

func TestHedge_BudgetIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int64
		client := wire(t, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			served.Add(1)
			_ = pause.For(ctx, 100*time.Millisecond)
			return nil, status.Error(codes.Unavailable, "chosen")
		}}, ServerConfig{}, ClientConfig{Timeout: 10 * time.Second, Policy: policyOf(t, "client: [{hedge: {idempotent: true, delay: 10ms}}]\nconnections: [{retryBudget: {maxTokens: 10}}]")})
		for range 20 {
			_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		}
		// Five failed attempts leave half of the ten tokens. After that, each call has one attempt.
		if got := served.Load(); got > 23 {
			t.Errorf("20 calls made %d attempts", got)
		}
	})
}

// TestRetryBudget_FollowsThePolicy: also if no stream is retried, so that the service config of gRPC is the same.
func TestRetryBudget_FollowsThePolicy(t *testing.T) {
	metrics := NewMetrics()
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1000)
	unary := strings.ReplaceAll(retried, "TestService/*", "TestService/UnaryCall")
	p := policyOf(t, unary)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Policy: p, Breakers: neverOpen()})
	spend := func() int64 {
		f.served.Store(0)
		for range 20 {
			_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		}
		return f.served.Load()
	}
	if got := spend(); got >= 30 {
		t.Fatalf("20 calls made %d attempts with a budget of 10", got)
	}
	for _, c := range []struct {
		budget string
		least  int64
		most   int64
	}{{"{disabled: true}", 60, 60}, {"{maxTokens: 4}", 20, 23}, {"{maxTokens: 1000}", 60, 60}} {
		must(t, p.Set(parsed(t, unary+"\nconnections: [{retryBudget: "+c.budget+"}]")))
		if got := spend(); got < c.least || got > c.most {
			t.Errorf("20 calls made %d attempts with the budget %s, want from %d to %d", got, c.budget, c.least, c.most)
		}
	}
}

// TestRetryBudget_EverySuccessRefills checks that successes of methods without retries refill the budget too.
func TestRetryBudget_EverySuccessRefills(t *testing.T) {
	metrics := NewMetrics()
	f := &flaky{code: codes.Unavailable}
	p := policyOf(t, strings.ReplaceAll(retried, "TestService/*", "TestService/UnaryCall")+"\nconnections: [{retryBudget: {maxTokens: 10, tokenRatio: 1}}]")
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Policy: p, Breakers: neverOpen()})
	tokens := func() float64 { return metric(t, metrics, "sandbox_retry_budget_tokens") }
	f.fails.Store(1000)
	for range 20 {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	if got := tokens(); got != 0 {
		t.Errorf("%v tokens after 20 failures", got)
	}
	f.fails.Store(0)
	for range 20 {
		s, err := client.FullDuplexCall(t.Context())
		must(t, err)
		_, _ = s.Recv()
	}
	eventually(t, "the budget is full", func() bool { return tokens() == 10 })
	f.served.Store(0)
	f.fails.Store(1)
	if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil || f.served.Load() != 2 {
		t.Errorf("%v after %d attempts, want OK after 2", err, f.served.Load())
	}
}

// TestRetry_SuccessAfterALongWait checks that the breaker does not take the wait between two attempts for slowness of the callee.
func TestRetry_SuccessAfterALongWait(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Breakers: breakers, Timeout: 100 * time.Millisecond, Policy: policyOf(t,
		"client: [{method: '*/*', retry: {idempotent: true, maxAttempts: 2, initialBackoff: 200ms}}]\nconnections: [{retryBudget: {maxTokens: 1000}}]")})
	for range 20 {
		f.fails.Store(1)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := client.UnaryCall(ctx, &testv1.SimpleRequest{})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	if breakers.Snapshot()[0].State != StateClosed {
		t.Error("successes opened the breaker:", breakers.Snapshot()[0].Reason)
	}
}
