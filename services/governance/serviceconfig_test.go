package governance

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
)

func TestServiceConfig_RetryBudget(t *testing.T) {
	for budget, want := range map[string]string{
		"{}":               `"retryThrottling":{"maxTokens":10,"tokenRatio":0.1}`,
		"{maxTokens: 20}":  `"retryThrottling":{"maxTokens":20,"tokenRatio":0.1}`,
		"{disabled: true}": "",
	} {
		rules := policyOf(t, retried+"\nconnections: [{retryBudget: "+budget+"}]").Rules()
		config := serviceConfigFor(rules, "callee", linkedMethods().streams)
		if want == "" && strings.Contains(config, "retryThrottling") || !strings.Contains(config, want) {
			t.Errorf("%s: got %s", budget, config)
		}
	}
}

func TestRetryBudget_Disabled(t *testing.T) {
	metrics := NewMetrics()
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1000)
	client := wire(t, f.fake(), ServerConfig{}, ClientConfig{Metrics: metrics, Breakers: neverOpen(),
		Policy: policyOf(t, retried+"\nconnections: [{retryBudget: {disabled: true}}]")})
	for range 20 {
		_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	if got := f.served.Load(); got != 60 {
		t.Errorf("20 calls made %d attempts, want 60", got)
	}
	if got := metric(t, metrics, "sandbox_retry_withheld_total"); got != 0 {
		t.Errorf("%v retries withheld", got)
	}
}
