package governance

// Reproduces: a server with a pod name (every program started by Run) answers each error with a HEADERS frame (x-serving-pod), so the answer
// is not trailers-only, and grpc-go never retries it. The other retry tests leave ServerConfig.Pod empty.

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

func TestRetry_PodName(t *testing.T) {
	knownfailures.Listed(t)
	for _, pod := range []string{"", "userservice-7c9-x"} {
		t.Run("pod="+pod, func(t *testing.T) {
			metrics := NewMetrics()
			f := &flaky{code: codes.Unavailable}
			f.fails.Store(1)
			client := wire(t, f.fake(), ServerConfig{Pod: pod}, ClientConfig{Timeout: time.Minute, Metrics: metrics, Policy: policyOf(t, retried)})
			_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
			t.Logf("unary: %v after %d attempts (policy: maxAttempts 3, first one fails)", status.Code(err), f.served.Load())
			if err != nil || f.served.Load() != 2 {
				t.Errorf("want OK after 2 attempts")
			}
		})
	}
}

// Reproduces: the same through Run, with which every program of this repository starts.
func TestRetry_ThroughRun(t *testing.T) {
	knownfailures.Listed(t)
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1)
	at, stop, ended := running(t, f.fake(), func(c *Config) { c.DrainDelay = 0 })
	conn, err := Dial("passthrough:///"+at.Service, ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, retried), Timeout: 5 * time.Second})
	must(t, err)
	_, err = testv1.NewTestServiceClient(conn).UnaryCall(t.Context(), &testv1.SimpleRequest{})
	t.Logf("through Run: %v after %d attempts", status.Code(err), f.served.Load())
	if err != nil {
		t.Error("want OK after 2 attempts")
	}
	_ = conn.Close()
	stop()
	<-ended //nolint:errcheck // the test is not about the result of Run
}

// Reproduces: the pushback of a rate limit, which grpc-go's own retries should follow, has no effect with a pod name either.
func TestPushback_PodName(t *testing.T) {
	knownfailures.Listed(t)
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
