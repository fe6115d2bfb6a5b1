package scenarios

import (
	"context"
	"slices"
	"testing"
)

func TestSteady_UnhealthyClusterIsNotChanged(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.failures = 0.5
		if _, err := Run(ctx, scenario(t, "outage"), w.target(), opts); err != nil {
			t.Fatal(err)
		}
		if got, want := w.did(), []string{"start browse", "stop browse"}; !slices.Equal(got, want) {
			t.Errorf("did %q, want %q", got, want)
		}
	})
}
