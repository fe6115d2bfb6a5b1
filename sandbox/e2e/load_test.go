//go:build e2e

package e2e

import (
	"context"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// underLoad runs do while the load generator calls userservice at a rate, and wants every call answered.
func underLoad(ctx context.Context, t *testing.T, loads loadgenv1.LoadGeneratorClient, name string, rate float64, do func()) {
	t.Helper()
	_, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: name, Target: "userservice",
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
		if !stopped { // do gave up; the load must not outlive it
			_, _ = stop()
		}
	}()
	do()
	got, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	if got.GetSent() < 100 || got.GetOk() != got.GetIntended() || len(got.GetErrors()) != 0 {
		t.Errorf("of %d calls that were due %d were answered; errors %v", got.GetIntended(), got.GetOk(), got.GetErrors())
	}
	t.Logf("%d calls answered meanwhile", got.GetOk())
}
