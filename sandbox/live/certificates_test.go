package live

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestCertificates_ReleasesThatScenariosMayNotChange(t *testing.T) {
	for _, release := range []string{"nowhere", charts.MetricsStore} {
		if err := (certificates{}).Renew(t.Context(), release); err == nil || len(remedy.Of(err)) == 0 {
			t.Errorf("%s: got %v", release, err)
		}
	}
}
