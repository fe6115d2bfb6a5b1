package nginx

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestLimitsOf_EveryKind(t *testing.T) {
	const method = "a.B/C"
	for _, c := range []struct {
		name, policy string
		want         []Limit
	}{
		{"a policy without limits", "{}", nil},
		{"a token bucket", "server: [{method: a.B/C, rate: {limits: [{tokenBucket: {rate: 5, burst: 10}}]}}]", []Limit{{Method: method, PerMinute: 300, Burst: 9}}},
		{"a token bucket without a burst", "server: [{method: a.B/C, rate: {limits: [{tokenBucket: {rate: 5}}]}}]", []Limit{{Method: method, PerMinute: 300}}},
		{"a leaky bucket", "server: [{method: a.B/C, rate: {limits: [{leakyBucket: {rate: 0.5, queue: 3}}]}}]", []Limit{{Method: method, PerMinute: 30, Burst: 3, Queue: true}}},
		{"two limits, one for each caller", "server: [{method: 'a.B/*', rate: {limits: [{tokenBucket: {rate: 1}}, {perCaller: true, tokenBucket: {rate: 0.001}}]}}]",
			[]Limit{{Method: method, PerMinute: 60}, {Method: method, Number: 1, PerPartner: true, PerMinute: 1}}},
		{"a bulkhead", "server: [{method: a.B/C, bulkhead: {maxConcurrent: 7}}]", []Limit{{Method: method, Concurrent: 7}}},
		{"a limit of all methods", "rate: {limits: [{tokenBucket: {rate: 50, burst: 50}}]}", []Limit{{PerMinute: 3000, Burst: 49}}},
		{"a limit of another method", "server: [{method: a.B/D, bulkhead: {maxConcurrent: 7}}]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := policy.Parse([]byte(c.policy))
			must(t, err)
			p, err := policy.New(parsed)
			must(t, err)
			if diff := cmp.Diff(c.want, LimitsOf(p.Rules(), []Method{{Name: method}})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// limited returns a gateway with one call a minute and one call in advance for each partner.
func limited(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.config.Limits = []Limit{{PerPartner: true, PerMinute: 1, Burst: 1}}
	_, err := w.server.Apply(t.Context(), w.config)
	must(t, err)
	return w
}

func TestGateway_LimitsOfPartnersAreSeparate(t *testing.T) {
	w := limited(t)
	acme, globex := w.dial(w.partner("acme")), w.dial(w.partner("globex"))
	for range 2 {
		if _, err := acme.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		_, err := acme.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		delay, ok := refusal.RetryDelay(err)
		if status.Code(err) != codes.ResourceExhausted || refusal.Reason(err) != refusal.ReasonRateLimited || !ok || delay != time.Minute {
			t.Errorf("got %v, reason %q, try again after %s", err, refusal.Reason(err), delay)
		}
	}
	for range 2 {
		if _, err := globex.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Errorf("a call of the other partner: %v", err)
		}
	}
}

func TestGateway_LimitCountsAllCertificatesOfAPartner(t *testing.T) {
	w := limited(t)
	for range 2 {
		if _, err := w.dial(w.partner("acme")).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.dial(w.partner("acme")).UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a call with a renewed certificate: %v", err)
	}
}

func TestGateway_LimitSurvivesAReload(t *testing.T) {
	w := limited(t)
	acme := w.partner("acme")
	for range 2 {
		if _, err := w.dial(acme).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	w.config.Material = "2"
	_, err := w.server.Apply(t.Context(), w.config)
	must(t, err)
	if _, err := w.dial(acme).UnaryCall(t.Context(), &testv1.SimpleRequest{}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a call after the reload: %v", err)
	}
}

func TestGateway_LimitOfRESTSaysWhenToTryAgain(t *testing.T) {
	w := limited(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: w.client(w.partner("acme"))}}
	defer client.CloseIdleConnections()
	get := func() *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.address+"/v1/things/1", http.NoBody)
		must(t, err)
		resp, err := client.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		return resp
	}
	for range 2 {
		if resp := get(); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	resp := get()
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "60" || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %s, %v", resp.Status, resp.Header)
	}
}

func TestGateway_BulkheadBoundsCallsInFlight(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = []Limit{{Method: "grpc.testing.TestService/FullDuplexCall", Concurrent: 2}}
	_, err := w.server.Apply(t.Context(), w.config)
	must(t, err)
	c := w.dial(w.partner("acme"))
	open := func() (testv1.TestService_FullDuplexCallClient, error) {
		s, err := c.FullDuplexCall(t.Context())
		must(t, err)
		// If it fails, the stream has ended, and Recv returns why.
		_ = s.Send(&testv1.StreamingOutputCallRequest{})
		_, err = s.Recv()
		return s, err
	}
	first, err := open()
	must(t, err)
	_, err = open()
	must(t, err)
	if _, err := open(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the third stream: %v", err)
	}
	if _, err := c.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Errorf("another method: %v", err)
	}
	must(t, first.CloseSend())
	eventually(t, "a stream is admitted when another one has ended", func() bool {
		_, err := open()
		return err == nil
	})
}
