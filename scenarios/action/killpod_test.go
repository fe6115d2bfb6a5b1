package action

import (
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

func TestKillPod_ChoiceReplaysFromTheSeed(t *testing.T) {
	t.Parallel()
	pods := []telemetry.Pod{{Name: "a", Ready: true}, {Name: "b", Ready: true}, {Name: "c", Ready: true}, {Name: "d", Ready: true}}
	pick := func(seed uint64, step int, pods []telemetry.Pod) string {
		return strings.Join(choose(Context{Seed: seed, Step: step}.random(), pods, 2), "")
	}
	backwards := slices.Clone(pods)
	slices.Reverse(backwards)
	seen := map[string]bool{}
	for seed := range uint64(50) {
		if pick(seed, 0, pods) != pick(seed, 0, backwards) {
			t.Errorf("seed %d: the order of the list changed the choice", seed)
		}
		seen[pick(seed, 0, pods)] = true
	}
	if len(seen) != 6 {
		t.Errorf("50 seeds reached %d of 6 pairs", len(seen))
	}
}

func TestKillPod_KillsTheNamedPods(t *testing.T) {
	t.Parallel()
	f := newFake("a", "b", "c")
	f.pods[1].Ready = false
	e, err := killPod{Release: "userservice", Count: 2}.Resolve(t.Context(), f.context(false, State{}))
	if err != nil {
		t.Fatal(err)
	}
	if e.Detail != "kill a, c (2 of 2 ready pods of userservice, grace 0s)" || e.Touches.Pods != 2 || e.Touches.Share != 0.25 || e.Undo != nil {
		t.Errorf("%+v", e)
	}
	if gone, err := e.Settled(t.Context()); gone || err != nil {
		t.Errorf("settled before it was done: %t, %v", gone, err)
	}
	if err := e.Do(t.Context()); err != nil || !slices.Equal(f.did, []string{"kill a", "kill c"}) {
		t.Errorf("%v; did %q", err, f.did)
	}
	if gone, err := e.Settled(t.Context()); !gone || err != nil {
		t.Errorf("not settled: %t, %v", gone, err)
	}
}

func TestKillPod_MorePodsThanThereAre(t *testing.T) {
	t.Parallel()
	scaledUp := State{}.With("up", Assumption{Replicas: map[string]int{"userservice": 5}})
	for name, c := range map[string]struct {
		planning bool
		assumed  State
		ok       bool
	}{
		"too many":                       {true, State{}, false},
		"enough after an earlier step":   {true, scaledUp, true},
		"the step is done, pods are not": {false, scaledUp, false},
	} {
		_, err := killPod{Release: "userservice", Count: 4}.Resolve(t.Context(), newFake("a", "b", "c").context(c.planning, c.assumed))
		if (err == nil) != c.ok || !c.ok && len(remedy.Of(err)) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m := (killPod{Count: 111}).Validate(); len(m) != 1 || m[0].Field != "count" {
		t.Errorf("%+v", m)
	}
}
