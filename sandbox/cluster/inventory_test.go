package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestInventory_ReadsNodesNetworkAndMarker(t *testing.T) {
	labels := map[string]string{"sandbox.dev/id": "abc", "sandbox.dev/user": "1000"}
	marked := map[string]string{"sandbox.dev/id": "abc", "sandbox.dev/user": "1000", "sandbox.dev/process": "boot.7"}
	for _, c := range []struct {
		sentence string
		engine   fixture.Engine
		want     Inventory
	}{
		{"nothing", fixture.Engine{}, Inventory{}},
		{"objects with similar names", fixture.Engine{Networks: map[string]map[string]string{"sandbox-one-more": labels}, Volumes: map[string]map[string]string{"sandbox-one": labels}}, Inventory{}},
		{"a complete cluster", fixture.Engine{
			Nodes:    []fixture.Node{{ID: "aaa", Name: "one-control-plane", Networks: []string{"sandbox-one"}}},
			Networks: map[string]map[string]string{"sandbox-one": labels},
		}, Inventory{Nodes: []Container{{ID: "aaa", Name: "one-control-plane", Running: true, Networks: []string{"sandbox-one"}}}, Network: &Owner{ID: "abc", User: "1000"}}},
		{"a cluster that is being created", fixture.Engine{
			Nodes:    []fixture.Node{{ID: "aaa", Name: "one-control-plane", Status: "created", Networks: []string{"sandbox-one"}}},
			Networks: map[string]map[string]string{"sandbox-one": labels}, Volumes: map[string]map[string]string{"sandbox-one-creating": marked},
		}, Inventory{
			Nodes:   []Container{{ID: "aaa", Name: "one-control-plane", Networks: []string{"sandbox-one"}}},
			Network: &Owner{ID: "abc", User: "1000"}, Marker: &Owner{ID: "abc", User: "1000", Process: "boot.7"},
		}},
		{"a network without labels", fixture.Engine{Networks: map[string]map[string]string{"sandbox-one": nil}}, Inventory{Network: &Owner{}}},
		{"a paused node", fixture.Engine{Nodes: []fixture.Node{{ID: "aaa", Name: "one-control-plane", Status: "paused"}}},
			Inventory{Nodes: []Container{{ID: "aaa", Name: "one-control-plane"}}}},
		{"a node whose processes are gone", fixture.Engine{Nodes: []fixture.Node{{ID: "aaa", Name: "one-control-plane", Pid: noProcess}}, Exec: "exit 255"},
			Inventory{Nodes: []Container{{ID: "aaa", Name: "one-control-plane"}}}},
		{"a node whose processes are in a virtual machine", fixture.Engine{Nodes: []fixture.Node{{ID: "aaa", Name: "one-control-plane", Pid: noProcess}}},
			Inventory{Nodes: []Container{{ID: "aaa", Name: "one-control-plane", Running: true}}}},
		{"nerdctl keeps the real network names in a label", fixture.Engine{Nodes: []fixture.Node{{ID: "aaa", Name: "one-control-plane",
			Networks: []string{"unknown-eth0"}, Labels: map[string]string{"nerdctl/networks": `["sandbox-one"]`}}}},
			Inventory{Nodes: []Container{{ID: "aaa", Name: "one-control-plane", Running: true, Networks: []string{"sandbox-one", "unknown-eth0"}}}}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, _ := fakeEngine(t, c.engine.Script())
			got, err := Cluster{Name: "one", Engine: e}.Inventory(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(Container{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// noProcess is above the largest process id of every system.
const noProcess = 1 << 30

func TestInventory_EngineDoesNotAnswer(t *testing.T) {
	for _, part := range []string{"ps", "network", "volume"} {
		e, _ := fakeEngine(t, `[ "$1" = `+part+` ] && { echo "cannot connect" >&2; exit 1; }; true`)
		_, err := Cluster{Name: "one", Engine: e}.Inventory(t.Context())
		fixture.WantError(t, err, "looking for cluster one in fakeengine: running fakeengine "+part, "cannot connect")
	}
}

func TestInventoryNode_OnTheOwnNetwork(t *testing.T) {
	c := Cluster{Name: "one"}
	for sentence, want := range map[string]struct {
		node Container
		is   bool
	}{
		"the node":             {Container{Name: "one-control-plane", Networks: []string{"sandbox-one"}}, true},
		"on another network":   {Container{Name: "one-control-plane", Networks: []string{"kind"}}, false},
		"a worker":             {Container{Name: "one-worker", Networks: []string{"sandbox-one"}}, false},
		"of a similar cluster": {Container{Name: "one-two-control-plane", Networks: []string{"sandbox-one"}}, false},
	} {
		if _, is := (Inventory{Nodes: []Container{want.node}}).Node(c); is != want.is {
			t.Errorf("%s: %v", sentence, is)
		}
	}
}
