package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
)

const planned = `apiVersion: sandbox.dev/v1alpha1
kind: Scenario
metadata: {name: planned}
spec:
  load:
    - {name: browse, from: loadgen, call: {service: userservice, method: user.v1.UserService/GetUser}, rate: 50/s}
    - {name: order, from: loadgen, call: {service: orderservice, method: order.v1.OrderService/GetOrder}, rate: 50/s}
  steady: {for: 1s, expect: [{availability: {of: browse, atLeast: 99%}}]}
  steps:
STEPS
  expect: [{availability: {of: browse, atLeast: 1%}}]
`

func TestPlan_FollowsTheSteps(t *testing.T) {
	for name, c := range map[string]struct {
		steps []string
		// plan has a part of the detail of each step.
		plan  []string
		fails string
	}{
		"heal brings the pods back": {
			[]string{"{name: a, scale: {release: userservice, replicas: 0}}", "{name: b, heal: {step: a}}", "{name: c, killPod: {release: userservice, count: 3}}"},
			[]string{"from 3 to 0", "undo", "3 of 3 ready pods"}, "",
		},
		"without it there is nothing to kill": {
			[]string{"{name: a, scale: {release: userservice, replicas: 0}}", "{name: c, killPod: {release: userservice}}"},
			nil, "killing 1 pods of userservice: 0 ready",
		},
		"healing the lower of two leaves the upper": {
			[]string{"{name: a, scale: {release: userservice, replicas: 2}}", "{name: b, scale: {release: userservice, replicas: 1}}", "{name: c, heal: {step: a}}", "{name: d, killPod: {release: userservice}}"},
			[]string{"from 3 to 2", "from 2 to 1", "undo", "1 of 1 ready pods"}, "",
		},
		"healing both leaves what was": {
			[]string{"{name: a, scale: {release: userservice, replicas: 2}}", "{name: b, scale: {release: userservice, replicas: 1}}", "{name: c, heal: {step: a}}", "{name: d, heal: {step: b}}", "{name: e, scale: {release: userservice, replicas: 4}}"},
			[]string{"from 3 to 2", "from 2 to 1", "undo", "undo", "from 3 to 4"}, "",
		},
		"a rate changes, and is healed": {
			[]string{"{name: a, setRate: {load: browse, rate: 150/s}}", "{name: b, setRate: {load: browse, rate: 10/s}}", "{name: c, heal: {step: a}}", "{name: d, setRate: {load: browse, rate: 30/s}}"},
			[]string{"from 50/s to 150/s", "from 150/s to 10/s", "undo", "from 10/s to 30/s"}, "",
		},
		"a rate for a time is back after it": {
			[]string{"{name: a, setRate: {load: browse, rate: 150/s, for: 1s}}", "{name: b, setRate: {load: browse, rate: 10/s}}"},
			[]string{"from 50/s to 150/s", "from 50/s to 10/s"}, "",
		},
		"more pods than the release will want": {
			[]string{"{name: a, scale: {release: userservice, replicas: 2}, waitFor: {ready: {release: userservice, replicas: 3}, within: 5s}}"},
			nil, "f.yaml:10: spec.steps[0].waitFor.ready.replicas: 3 pods of userservice will never be ready: it will want 2 at that point\n  try: replicas: 2",
		},
		"more pods than the node has room for": {
			[]string{"{name: a, scale: {release: userservice, replicas: 9}}"},
			nil, "f.yaml:10: spec.steps[0].scale.replicas: the node has room for 5 more pods of userservice in addition to its 3, not for 6\n  try: replicas: 8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(planned, "STEPS", "    - "+strings.Join(c.steps, "\n    - "), 1)
			withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
				opts.DryRun = true
				opts.Room = func(context.Context, string) (int, error) { return 5, nil }
				sc, err := Parse("f.yaml", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				report, err := Run(ctx, sc, w.target(), opts)
				if c.fails != "" {
					got, file := fmt.Sprint(err), (*FileError)(nil)
					if errors.As(err, &file) {
						got = file.Text(nil)
					}
					if err == nil || !strings.Contains(got, c.fails) || (file != nil) != strings.HasPrefix(c.fails, "f.yaml") {
						t.Errorf("got %s, want %s", got, c.fails)
					}
					return
				}
				if err != nil || len(report.Steps) != len(c.plan) {
					t.Fatalf("%v: %+v", err, report.Steps)
				}
				for i, part := range c.plan {
					if !strings.Contains(report.Steps[i].Detail, part) {
						t.Errorf("step %d: %s, want %s", i, report.Steps[i].Detail, part)
					}
				}
				if len(w.did()) > 0 {
					t.Errorf("a plan did %q", w.did())
				}
			})
		})
	}
}

func TestPlan_ShareUsesTheChangedRates(t *testing.T) {
	text := strings.Replace(planned, "STEPS", "    - {name: a, setRate: {load: browse, rate: 150/s}}\n    - {name: b, killPod: {release: userservice}}", 1)
	withCluster(t, newFakeCluster, func(t *testing.T, ctx context.Context, w *fakeCluster, opts Options) {
		opts.DryRun = true
		report, err := Run(ctx, edited(t, "planned", text), w.target(), opts)
		if err != nil {
			t.Fatal(err)
		}
		// Of 200 calls per second, 150 go to the release, and one of its three pods is killed.
		if got := report.Steps[1].Touches.Share; got.Percent() != 25 {
			t.Errorf("a third of three quarters of the calls is %s", got)
		}
	})
}

func TestDryRun_ListsLeftovers(t *testing.T) {
	dir := killed(t, "scale userservice 0")
	for name, plannable := range map[string]bool{"kill": false, "burst": true} {
		withCluster(t, abandoned, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
			report, err := Run(ctx, scenario(t, name), w.target(), Options{Journal: dir, DryRun: true})
			if len(report.LeftBehind) != 2 || report.LeftBehind[1].Detail != "scale userservice from 3 to 0" {
				t.Errorf("%s: left behind %+v", name, report.LeftBehind)
			}
			switch {
			case plannable && err != nil:
				t.Errorf("%s: %v", name, err)
			case !plannable && (err == nil || !strings.Contains(err.Error(), "a killed run left behind: ") || remedies(err) != "sandbox undo"):
				t.Errorf("%s: %v; remedies %q", name, err, remedies(err))
			}
			if got := w.did(); len(got) > 0 {
				t.Errorf("%s: did %q", name, got)
			}
		})
	}
}

func TestDryRun_ChangesNothing(t *testing.T) {
	for _, sc := range Builtin() {
		cluster := func() *fakeCluster { return newFakeClusterFor(sc) }
		withCluster(t, cluster, func(t *testing.T, ctx context.Context, w *fakeCluster, _ Options) {
			report, err := Run(ctx, sc, w.target(), Options{DryRun: true})
			if err != nil || report.Result != Planned || len(report.Steps) != len(sc.Steps) {
				t.Errorf("%s: %s, %v", sc.Name, report.Result, err)
			}
			if got := w.did(); len(got) > 0 {
				t.Errorf("%s: did %q", sc.Name, got)
			}
		})
	}
	if files, err := os.ReadDir("."); err != nil || slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.HasSuffix(f.Name(), journal.Ext) }) {
		t.Errorf("a journal was written: %v", err)
	}
}
