package governance

import (
	"testing"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Reproduces: percent 0 means 100, so turning a fault down to 0 fails every call.
func TestFault_ZeroPercent(t *testing.T) {
	knownfailures.Listed(t)
	s := newServing(t, "serverFaults: [{name: f, percent: 0, abort: {code: UNAVAILABLE}}]")
	failed := 0
	for range 100 {
		if s.call(t.Context(), false, "a.B/C", fine) != nil {
			failed++
		}
	}
	t.Logf("percent: 0 in the file: %d of 100 calls fail", failed)
	if failed != 0 {
		t.Error("0 % means 100 %")
	}
}

// Reproduces: a policy set with Policy.Set, as by a control plane, does not change policy_info, policy_reloads_total, policy_errors_total,
// the unmatched patterns or the events: only PolicyFile reports.
func TestPolicy_PushedWithoutProcess(t *testing.T) {
	knownfailures.Measure(t)
	metrics := NewMetrics()
	p := &policy.Policy{}
	must(t, p.Set(&policyv1.EffectivePolicy{Version: "pushed-7"}))
	_ = p.Set(&policyv1.EffectivePolicy{Client: []*policyv1.ClientRule{{Breaker: &policyv1.Breaker{FailureRatio: 25}}}})
	t.Logf("policy_info{version=pushed-7}=%v policy_reloads_total=%v policy_errors_total=%v (in force: %s)", metric(t, metrics, "sandbox_policy_info", "version", "pushed-7"),
		metric(t, metrics, "sandbox_policy_reloads_total"), metric(t, metrics, "sandbox_policy_errors_total"), p.Version())
}

// Reproduces: the breaker of a policy has no effect on a connection that was dialed without Breakers, and nothing reports it.
func TestPolicy_BreakerWithoutBreakers(t *testing.T) {
	knownfailures.Listed(t)
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1000)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Policy: policyOf(t, "client: [{breaker: {minCalls: 1, maxConcurrent: 1}}]")})
	for range 50 {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	if f.served.Load() == 50 {
		t.Error("the policy asks for a breaker after one call, and 50 of 50 failing calls reached the callee")
	}
}
