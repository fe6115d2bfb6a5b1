package scenarios

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// beforeAndAfter takes the service away, measures, brings it back, and measures again.
const beforeAndAfter = "    - name: take it down\n      scale: {release: userservice, replicas: 0}\n      waitFor: {breaker: {from: loadgen, to: userservice, state: open}, within: 20s}\n" +
	"      measure: {for: 5s, expect: [{availability: {of: browse, atMost: 10%}}, {metric: {query: \"peak[$window]\", name: peak, unit: calls, atLeast: 7}}]}\n" +
	"    - name: bring it back\n      heal: {step: take it down}\n      waitFor: {breaker: {from: loadgen, to: userservice, state: closed}, within: 20s}\n" +
	"      measure: {for: 10s, expect: [{availability: {of: browse, atLeast: 99%}}, {ready: {release: userservice, replicas: 3}}]}\n"

// measured returns the scenario outage with other steps.
func measured(t *testing.T, steps string) Scenario {
	t.Helper()
	data, err := library.ReadFile("library/pod-kill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(data), "  steps:\n")
	return edited(t, "measured", head+"  steps:\n"+steps+"  expect: [{availability: {of: browse, atLeast: 20%}}]\n")
}

func TestMeasure_BeforeAndAfter(t *testing.T) {
	for _, c := range []struct {
		sentence, old, new string
		// want has the result and the name of each finding.
		want []string
	}{
		{"both as expected", "", "", []string{"pass take it down: availability of browse ≤ 10 %", "pass take it down: peak ≥ 7 calls",
			"pass bring it back: availability of browse ≥ 99 %", "pass bring it back: ready pods of userservice ≥ 3 pods"}},
		{"the cure is taken away", "heal: {step: take it down}\n      waitFor: {breaker: {from: loadgen, to: userservice, state: closed}, within: 20s}", "wait: {for: 5s}",
			[]string{"pass take it down: availability of browse ≤ 10 %", "pass take it down: peak ≥ 7 calls",
				"fail bring it back: availability of browse ≥ 99 %", "fail bring it back: ready pods of userservice ≥ 3 pods"}},
		{"nothing is broken", "scale: {release: userservice, replicas: 0}\n      waitFor: {breaker: {from: loadgen, to: userservice, state: open}, within: 20s}", "scale: {release: userservice, replicas: 4}",
			[]string{"fail take it down: availability of browse ≤ 10 %", "pass take it down: peak ≥ 7 calls",
				"pass bring it back: availability of browse ≥ 99 %", "pass bring it back: ready pods of userservice ≥ 3 pods"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			cluster := func() *fakeCluster {
				w := newFakeCluster()
				w.value = func(query string) (float64, bool) { return 7, query == "peak[5s]" || query == "peak[2s]" }
				return w
			}
			withCluster(t, cluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				r, err := Run(ctx, measured(t, strings.Replace(beforeAndAfter, c.old, c.new, 1)), w.target(), opts)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				met := Pass
				for _, f := range inPhase(r, "measure") {
					got = append(got, f.Result+" "+f.Step+": "+f.Name+" "+f.LimitText())
					if f.Result != report.Met {
						met = Fail
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("findings (-want +got):\n%s\n%+v", diff, inPhase(r, "measure"))
				}
				if r.Result != met {
					t.Errorf("result %s, want %s: %s", r.Result, met, r.Message)
				}
			})
		})
	}
}

// TestMeasure_WindowIsThatOfTheStep: calls that failed before the step do not count.
func TestMeasure_WindowIsThatOfTheStep(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		steps := "    - {name: take it down, scale: {release: userservice, replicas: 0}}\n    - {name: long, wait: {for: 10s}}\n" +
			"    - name: back\n      heal: {step: take it down}\n      waitFor: {breaker: {from: loadgen, to: userservice, state: closed}, within: 20s}\n" +
			"    - {name: now, measure: {for: 3s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}}\n"
		r, err := Run(ctx, measured(t, steps), w.target(), opts)
		got := inPhase(r, "measure")
		if err != nil || len(got) != 1 || !got[0].Met() || got[0].Seconds != 3 || got[0].Step != "now" {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

func TestMeasure_StepThatIsNotReached(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		w.trip = false
		r, err := Run(ctx, measured(t, "    - {name: never, scale: {release: userservice, replicas: 2}, waitFor: {breaker: {from: loadgen, to: userservice, state: open}, within: 3s}}\n"+
			"    - {name: now, measure: {for: 3s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}}\n"), w.target(), opts)
		if got := inPhase(r, "measure"); err != nil || len(got) != 1 || got[0].Result != report.NotJudged || got[0].Step != "now" {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

// TestPlan_QueryThatIsWrong: nothing is changed.
func TestPlan_QueryThatIsWrong(t *testing.T) {
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		_, err := Run(ctx, measured(t, "    - {name: now, measure: {for: 3s, expect: [{metric: {query: \"up[\", atMost: 1}}]}}\n"), w.target(), opts)
		var file *grammar.FileError
		if !errors.As(err, &file) || !strings.Contains(err.Error(), "spec.steps[0].measure.expect[0].metric.query: the query is wrong: up[") || len(w.did()) > 0 {
			t.Errorf("%v; did %q", err, w.did())
		}
	})
}
