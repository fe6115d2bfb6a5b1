//go:build e2e

package e2e

import (
	"context"
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// slowness lists the codes that a busy machine causes: calls wait, time out, or are shed. A broken call has another code.
var slowness = []string{"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "OVERLOADED"}

// underLoad runs do while the load generator calls userservice at a rate, and checks that no call is broken. Because of a slow machine at most 1 %
// of the calls may fail, or those of half a second: two cores that start six pods may stall that long, and then the generator's limit of 100
// concurrent calls refuses the next ones.
func underLoad(ctx context.Context, t *testing.T, loads loadgenv1.LoadGeneratorClient, name string, rate float64, do func()) {
	t.Helper()
	underLoadThrough(ctx, t, loads, name, rate, nil, do)
}

// underLoadThrough is underLoad with a load through a gateway, if that is not nil.
func underLoadThrough(ctx context.Context, t *testing.T, loads loadgenv1.LoadGeneratorClient, name string, rate float64, gateway *loadgenv1.Gateway, do func()) {
	t.Helper()
	_, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: name, Target: "userservice", Gateway: gateway,
		Method: "user.v1.UserService/GetUser", RequestJson: `{"userId":"u-{{ n 1 1000 }}"}`, Rate: rate, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() (*loadgenv1.LoadStats, error) {
		stopped = true
		return loads.StopLoad(context.WithoutCancel(ctx), &loadgenv1.StopLoadRequest{Name: name})
	}
	defer func() {
		// If do has ended the test, the load must not outlive it.
		if !stopped {
			_, _ = stop()
		}
	}()
	do()
	got, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	defer explainFailures(ctx, t, got)
	// A breaker that slow calls have opened refuses others. What opened it for another reason is counted under its own code.
	refused := got.GetRefused()[refusal.ReasonBreakerOpen]
	slow := refused
	for code, n := range got.GetErrors() {
		if code == "UNAVAILABLE" {
			n -= refused
		}
		switch {
		case slices.Contains(slowness, code):
			slow += n
		case n > 0:
			t.Errorf("%d calls ended with %s", n, code)
		}
	}
	if got.GetSent() < 100 || float64(slow) > max(float64(got.GetIntended())/100, rate/2) {
		t.Errorf("of %d intended calls %d were answered; errors %v", got.GetIntended(), got.GetOk(), got.GetErrors())
	}
	t.Logf("%d of %d calls answered during that time; errors %v", got.GetOk(), got.GetIntended(), got.GetErrors())
}

// explainFailures prints what is known of failed calls if the test failed: who refused them, when, and what the load generator logged.
func explainFailures(ctx context.Context, t *testing.T, s *loadgenv1.LoadStats) {
	t.Helper()
	if !t.Failed() {
		return
	}
	t.Logf("refused by the load generator itself: %v", s.GetRefused())
	for _, f := range s.GetFailures() {
		t.Logf("%d calls failed from %s to %s", f.GetFailed(), f.GetFirstFailedAt().AsTime(), f.GetLastFailedAt().AsTime())
	}
	out, _, err := shared.run(context.WithoutCancel(ctx), "logs", "loadgen", "--lines", "40")
	t.Logf("log of the load generator, %v:\n%s", err, out)
}
