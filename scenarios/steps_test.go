package scenarios

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestSteps_HealBeforeKill(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		report, err := Run(ctx, caseFile(t, "heal-before-kill"), w.target(), opts)
		if err != nil || report.Result != Pass {
			t.Errorf("result %s, error %v: %s", report.Result, err, report.Message)
		}
	})
}

func TestSteps_HealBelowALaterChange(t *testing.T) {
	const steps = "    - {name: a little, scale: {release: userservice, replicas: 2}}\n    - {name: some more, scale: {release: userservice, replicas: 1}}\n" +
		"    - {name: back, heal: {step: a little}}\n"
	for _, c := range []struct {
		sentence, steps string
		// want has the changes after the start of the load.
		want []string
	}{
		{"the earlier of two scales", steps, []string{"scale userservice 2", "scale userservice 1", "stop browse", "scale userservice 3"}},
		{"the later of two scales", strings.Replace(steps, "step: a little", "step: some more", 1),
			[]string{"scale userservice 2", "scale userservice 1", "scale userservice 2", "stop browse", "scale userservice 3"}},
		{"the middle of three", strings.SplitN(steps, "    - {name: back", 2)[0] +
			"    - {name: least, scale: {release: userservice, replicas: 0}}\n    - {name: back, heal: {step: some more}}\n    - {name: up, heal: {step: least}}\n",
			[]string{"scale userservice 2", "scale userservice 1", "scale userservice 0", "scale userservice 2", "stop browse", "scale userservice 3"}},
		{"the earlier of two rates", strings.NewReplacer("scale: {release: userservice, replicas: 2}", "setRate: {load: browse, rate: 60/s}",
			"scale: {release: userservice, replicas: 1}", "setRate: {load: browse, rate: 70/s}").Replace(steps) + "    - {name: last, heal: {step: some more}}\n",
			[]string{"rate browse 60/s", "rate browse 70/s", "rate browse 50/s", "stop browse"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				report, err := Run(ctx, caseFile(t, "heal-under-a-later-scale", steps, c.steps), w.target(), opts)
				if err != nil || len(report.Cleanup.Residue) > 0 {
					t.Errorf("%v; left behind: %q", err, report.Cleanup.Residue)
				}
				if got := w.did()[1:]; !slices.Equal(got, c.want) {
					t.Errorf("did %q, want %q", got, c.want)
				}
			})
		})
	}
}
