package governance

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

const retried = "client: [{method: 'grpc.testing.TestService/*', retry: {idempotent: true, maxAttempts: 3, initialBackoff: 1ms}}]"

// flaky fails the next calls. Their number is in fails.
type flaky struct {
	fails, served atomic.Int64
	code          codes.Code
}

func (f *flaky) fake() fake {
	answer := func() error {
		f.served.Add(1)
		if f.fails.Add(-1) >= 0 {
			return status.Error(f.code, "chosen")
		}
		return nil
	}
	return fake{unary: func(context.Context, *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
		return &testv1.SimpleResponse{}, answer()
	}, stream: func(grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
		return answer()
	}}
}

func TestRetry_SafeCodesOnly(t *testing.T) {
	for _, c := range []struct {
		name, text      string
		code            codes.Code
		fails, attempts int64
		want            codes.Code
	}{
		{"an unreachable callee", retried, codes.Unavailable, 2, 3, codes.OK},
		{"at most maxAttempts times", retried, codes.Unavailable, 3, 3, codes.Unavailable},
		{"another code", retried, codes.Internal, 1, 1, codes.Internal},
		{"another method", strings.ReplaceAll(retried, "TestService/*", "TestService/Empty*"), codes.Unavailable, 1, 1, codes.Unavailable},
		{"another callee", strings.ReplaceAll(retried, "{method", "{callee: other, method"), codes.Unavailable, 1, 1, codes.Unavailable},
		{"no policy", "", codes.Unavailable, 1, 1, codes.Unavailable},
		{"a code in the policy", strings.ReplaceAll(retried, "maxAttempts", "codes: [ABORTED], maxAttempts"), codes.Aborted, 1, 2, codes.OK},
		{"a code that is not in the policy", strings.ReplaceAll(retried, "maxAttempts", "codes: [ABORTED], maxAttempts"), codes.Unavailable, 1, 1, codes.Unavailable},
	} {
		for _, streaming := range []bool{false, true} {
			t.Run(c.name+map[bool]string{true: ", streaming"}[streaming], func(t *testing.T) {
				metrics := NewMetrics()
				breakers := NewBreakers("c", BreakerConfig{}, nil, nil)
				f := &flaky{code: c.code}
				f.fails.Store(c.fails)
				client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Policy: policyOf(t, c.text), Breakers: breakers})
				method, err := "UnaryCall", error(nil)
				if streaming {
					method = "FullDuplexCall"
					s, openErr := client.FullDuplexCall(t.Context())
					must(t, openErr)
					_, err = s.Recv()
					err = endOf(err)
				} else {
					_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				}
				if status.Code(err) != c.want || f.served.Load() != c.attempts {
					t.Errorf("%d attempts, %v; want %d, %s", f.served.Load(), err, c.attempts, c.want)
				}
				for kind, want := range map[string]float64{"first": 1, "retry": float64(c.attempts - 1)} {
					if got := metric(t, metrics, "sandbox_attempts_total", "kind", kind); got != want {
						t.Errorf("%v %s attempts counted, want %v", got, kind, want)
					}
				}
				// A call is one call, whatever the number of its attempts. That includes the breaker.
				eventually(t, "one call is counted", func() bool {
					return metric(t, metrics, "grpc_client_handled_total", "grpc_method", method, "grpc_code", c.want.String()) == 1
				})
				b := breakers.of(edge{"callee", "grpc.testing.TestService/" + method})
				if ok, failed := b.Counts(); ok+failed != 1 {
					t.Errorf("the breaker counts %d calls", ok+failed)
				}
			})
		}
	}
}

func TestRetryBudget_Spent(t *testing.T) {
	metrics := NewMetrics()
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1000)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Breakers: neverOpen(),
		Policy: policyOf(t, retried+"\nconnections: [{retryBudget: {maxTokens: 10, tokenRatio: 0.5}}]")})
	call := func() { _, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{}) }
	for range 100 {
		call()
	}
	// There are 10 tokens, and retries while more than 5 are left: two by the first call, which then has no attempts left, and one by the second.
	if got := f.served.Load(); got != 103 {
		t.Errorf("100 calls made %d attempts, want 103", got)
	}
	spent := f.served.Load()
	if got := metric(t, metrics, "sandbox_attempts_total", "kind", "retry"); got != float64(spent-100) {
		t.Errorf("%v retries counted, want %d", got, spent-100)
	}
	if got := metric(t, metrics, "sandbox_retry_budget_tokens", "callee", "callee"); got != 0 {
		t.Errorf("%v tokens left, want 0", got)
	}
	if got := metric(t, metrics, "sandbox_retry_withheld_total"); got < 90 {
		t.Errorf("%v withheld, want nearly all", got)
	}
	// Successes fill the budget: 12 of them add 6 tokens, and a failure is retried again.
	f.fails.Store(0)
	for range 14 {
		call()
	}
	if got := metric(t, metrics, "sandbox_retry_budget_tokens", "callee", "callee"); got != 7 {
		t.Errorf("%v tokens left, want 7", got)
	}
	f.fails.Store(1)
	f.served.Store(0)
	call()
	if got := f.served.Load(); got != 2 {
		t.Errorf("%d attempts, want 2", got)
	}
}

func TestRetry_OpenConnectionFollowsPolicy(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	p := policyOf(t, "")
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Timeout: time.Minute, Policy: p})
	attempts := func() int64 {
		f.served.Store(0)
		f.fails.Store(1)
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return f.served.Load()
	}
	for _, step := range []struct {
		text string
		want int64
	}{{"", 1}, {retried, 2}, {"", 1}, {retried, 2}} {
		change(t, p, step.text)
		eventually(t, "the connection knows "+step.text, func() bool { return attempts() == step.want })
	}
}

// A rate limit tells grpc-go how long to wait, so the retry succeeds.
func TestRetry_WaitsForPushback(t *testing.T) {
	p := policyOf(t, `
server: [{rate: {limits: [{tokenBucket: {rate: 5, burst: 1}}]}}]
client: [{method: '*/*', retry: {idempotent: true, maxAttempts: 2, initialBackoff: 1ms, codes: [RESOURCE_EXHAUSTED]}}]
`)
	client := wire(t, fake{}, ServerConfig{Policy: p}, ClientConfig{Timeout: time.Minute, Policy: p})
	start := time.Now()
	for range 2 {
		if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("the second call took %s, want 200ms", took)
	}
}

// The jitter of gRPC is a fifth in either direction. In the bubble time stands still while goroutines run, so each wait is exactly what gRPC
// chose.
func TestRetry_BackoffJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const backOff, calls = 200 * time.Millisecond, 40
		var mu sync.Mutex
		first, waits := map[int32]time.Time{}, []time.Duration{}
		client := wire(t, fake{unary: func(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			mu.Lock()
			defer mu.Unlock()
			if start, again := first[req.GetResponseSize()]; again {
				waits = append(waits, time.Since(start))
			} else {
				first[req.GetResponseSize()] = time.Now()
			}
			return nil, errDown
		}}, ServerConfig{}, ClientConfig{Timeout: time.Minute, Policy: policyOf(t, strings.NewReplacer("1ms", "200ms", "maxAttempts: 3", "maxAttempts: 2").Replace(retried)+
			"\nconnections: [{retryBudget: {maxTokens: 1000}}]")})
		var all sync.WaitGroup
		for n := range int32(calls) {
			all.Go(func() { _, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{ResponseSize: n}) })
		}
		all.Wait()
		slices.Sort(waits)
		if len(waits) != calls || waits[0] < backOff*4/5 || waits[calls-1] > backOff*6/5 {
			t.Fatalf("%d of %d calls were retried, want all, after %s and at most a fifth more or less: %v", len(waits), calls, backOff, waits)
		}
		if spread := waits[calls-1] - waits[0]; spread < backOff/5 {
			t.Errorf("the waits differ by only %s: %v", spread, waits)
		}
	})
}

func TestRetry_PodName(t *testing.T) {
	for _, pod := range []string{"", "userservice-7c9-x"} {
		t.Run("pod="+pod, func(t *testing.T) {
			metrics := NewMetrics()
			f := &flaky{code: codes.Unavailable}
			f.fails.Store(1)
			client := wire(t, f.fake(), ServerConfig{Pod: pod}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Policy: policyOf(t, retried)})
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			if err != nil || f.served.Load() != 2 {
				t.Errorf("%v after %d attempts, want OK after 2", err, f.served.Load())
			}
		})
	}
}

func TestRetry_ThroughRun(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1)
	at, stop, ended := running(t, f.fake(), func(c *Config) { c.DrainDelay = Off })
	conn, err := Dial("passthrough:///"+at.Service, ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, retried), Timeout: 5 * time.Second})
	must(t, err)
	_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if err != nil || f.served.Load() != 2 {
		t.Errorf("%v after %d attempts, want OK after 2", err, f.served.Load())
	}
	_ = conn.Close()
	stop()
	<-ended //nolint:errcheck // the test is not about the result of Run
}

func TestPushback_PodName(t *testing.T) {
	for _, pod := range []string{"", "p-0"} {
		t.Run("pod="+pod, func(t *testing.T) {
			p := policyOf(t, `
server: [{rate: {limits: [{tokenBucket: {rate: 5, burst: 1}}]}}]
client: [{method: '*/*', retry: {idempotent: true, maxAttempts: 2, initialBackoff: 1ms, codes: [RESOURCE_EXHAUSTED]}}]
`)
			client := wire(t, fake{}, ServerConfig{Pod: pod, Policy: p}, ClientConfig{Timeout: time.Minute, Policy: p})
			for range 2 {
				if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
