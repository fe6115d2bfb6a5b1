package live

import (
	"errors"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/release"
)

func TestWithDrift_FailedComparisonIsNotReady(t *testing.T) {
	drift := []release.Drift{{Object: "Service/users", Missing: true}}
	for _, c := range []struct {
		sentence string
		before   ReleaseStatus
		err      error
		want     string
	}{
		{"compared", ReleaseStatus{}, nil, ""},
		{"not compared", ReleaseStatus{}, errors.New("no webhook"), "no webhook"},
		{"not ready before", ReleaseStatus{Why: "not installed"}, errors.New("no webhook"), "not installed"},
	} {
		if got := c.before.withDrift(drift, c.err); got.Why != c.want || len(got.Drift) != 1 {
			t.Errorf("%s: %q, %v", c.sentence, got.Why, got.Drift)
		}
	}
}
