package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// TestJudge_LeavesForeignClustersAlone specifies the ownership of engine objects.
func TestJudge_LeavesForeignClustersAlone(t *testing.T) {
	const user = "1000"
	made := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	node := func(networks ...string) []cluster.Container {
		return []cluster.Container{{ID: "aaa", Name: "one-control-plane", Running: true, Networks: networks}}
	}
	own := &cluster.Owner{ID: "x", User: user}
	bare := &cluster.Owner{}
	dead := &cluster.Owner{ID: "x", User: user, Process: "another boot.1"}
	running := &cluster.Owner{ID: "x", User: user, Process: fmt.Sprintf("%s.%d", bootID(), os.Getppid())}
	state1 := state{ID: "x", Engine: "docker", Created: made}
	previous := state{Engine: "docker", Created: made}
	for _, c := range []struct {
		sentence string
		state    state
		found    cluster.Inventory
		want     standing
		// foreign is a part of the error.
		foreign string
	}{
		{"nothing, no state", state{}, cluster.Inventory{}, absent, ""},
		{"nothing, a state", state1, cluster.Inventory{}, absent, ""},
		{"our cluster", state1, cluster.Inventory{Nodes: node("sandbox-one"), Network: own}, ours, ""},
		{"our cluster, state lost", state{}, cluster.Inventory{Nodes: node("sandbox-one"), Network: own}, ours, ""},
		{"our cluster, `up` killed before it noted that it was complete", state{ID: "x", Engine: "docker"}, cluster.Inventory{Nodes: node("sandbox-one"), Network: own}, ours, ""},
		{"our cluster, restored state of the previous version", previous, cluster.Inventory{Nodes: node("sandbox-one"), Network: own}, ours, ""},
		{"our cluster, marked as being created", state{ID: "x", Engine: "docker"}, cluster.Inventory{Nodes: node("sandbox-one"), Network: own, Marker: dead}, halfMade, ""},
		{"our cluster, marked as being created, state lost", state{}, cluster.Inventory{Nodes: node("sandbox-one"), Network: own, Marker: dead}, halfMade, ""},
		{"only the marker", state{}, cluster.Inventory{Marker: dead}, leftover, ""},
		{"only marker and network", state{ID: "x", Engine: "docker"}, cluster.Inventory{Network: own, Marker: dead}, leftover, ""},
		{"only the network", state1, cluster.Inventory{Network: own}, leftover, ""},
		{"a worker without its control plane", state1, cluster.Inventory{Nodes: []cluster.Container{{Name: "one-worker", Networks: []string{"sandbox-one"}}}, Network: own}, halfMade, ""},
		{"a cluster of the previous version", previous, cluster.Inventory{Nodes: node("sandbox-one"), Network: bare}, ours, ""},
		{"an incomplete cluster of the previous version", state{Engine: "docker"}, cluster.Inventory{Nodes: node("sandbox-one"), Network: bare}, halfMade, ""},
		{"a network that the previous version left", previous, cluster.Inventory{Network: bare}, leftover, ""},

		{"another kind cluster of that name", state{}, cluster.Inventory{Nodes: node("kind")}, absent, "node one-control-plane is not on the network sandbox-one"},
		{"another kind cluster of that name, after ours was removed by hand", state1, cluster.Inventory{Nodes: node("kind")}, absent, "is not on the network"},
		{"another kind cluster of that name, state of the previous version", previous, cluster.Inventory{Nodes: node("kind")}, absent, "is not on the network"},
		{"a cluster of the previous version, state lost", state{}, cluster.Inventory{Nodes: node("sandbox-one"), Network: bare}, absent, "network has no label"},
		{"a network without labels, and a state with an id", state1, cluster.Inventory{Network: bare}, absent, "network has no label"},
		{"a volume without labels", state{}, cluster.Inventory{Marker: bare}, absent, "volume has no label"},
		{"a cluster of another user", state{}, cluster.Inventory{Nodes: node("sandbox-one"), Network: &cluster.Owner{ID: "x", User: "1001"}}, absent, "belongs to the user with id 1001"},
		{"a state that contradicts the labels", state{ID: "y", Engine: "docker", Created: made}, cluster.Inventory{Nodes: node("sandbox-one"), Network: own}, absent, "has the id x, and the state of this sandbox has the id y"},
		{"labels that contradict each other", state{}, cluster.Inventory{Network: own, Marker: &cluster.Owner{ID: "y", User: user}}, absent, "different ids"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := judge("one", "docker", user, c.state, c.found)
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			var foreign *ForeignError
			if errors.As(err, &foreign) != (c.foreign != "") {
				t.Fatalf("error %v", err)
			}
			if c.foreign != "" {
				fixture.WantError(t, err, c.foreign, "nothing was changed", "try: another name, with --name", "may go)")
			}
		})
	}
	_, err := judge("one", "docker", user, state{}, cluster.Inventory{Nodes: node("sandbox-one"), Network: own, Marker: running})
	fixture.WantError(t, err, fmt.Sprintf("is being created by process %d", os.Getppid()), "try: wait for it")
}

// complete returns an engine with the complete cluster of a sandbox.
func complete(id string) fixture.Engine {
	return fixture.Engine{
		Nodes:    []fixture.Node{{ID: "aaa", Name: "one-control-plane", Networks: []string{"sandbox-one"}}},
		Networks: map[string]map[string]string{"sandbox-one": {"sandbox.dev/id": id, "sandbox.dev/user": currentUser()}},
	}
}

// exportable lets kind read a kubeconfig from the node.
const exportable = `case "$*" in
--version) echo podman version 4.3.1; exit ;;
*kind.role*) echo control-plane; exit ;;
*NetworkSettings.Ports*) echo '{"6443/tcp":[{"HostIp":"127.0.0.1","HostPort":"1"}]}'; exit ;;
exec*) printf 'apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n'; exit ;;
*Names*) [ "$1" != ps ] || { echo one-control-plane; exit; } ;;
esac
`

func TestChooseEngine_AdoptsAClusterWhoseStateWasLost(t *testing.T) {
	f := newFolders(t)
	calls := fixture.Programs(t, map[string]string{"docker": `echo "cannot connect" >&2; exit 1`, "podman": exportable + complete("x").Script()})
	u := &up{o: UpOptions{Name: "one", Folders: f}, rec: newRecorder(nil)}
	if err := u.chooseEngine(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if u.standing != ours || !u.running || u.cluster.Engine.Name != "podman" {
		t.Errorf("standing %v, running %v, on %s", u.standing, u.running, u.cluster.Engine.Name)
	}
	s, err := readState(f, "one")
	if err != nil || s.ID != "x" || s.Engine != "podman" || s.Created.IsZero() {
		t.Errorf("the state is %+v, %v", s, err)
	}
	if _, err := os.Stat(f.Kubeconfig("one")); err != nil {
		t.Errorf("the kubeconfig was not rebuilt: %v", err)
	}
	changesNothing(t, calls())
}

// TestFindEngine_StoppedSinceItWorked: docker ran a container since boot, and was stopped afterwards.
func TestFindEngine_StoppedSinceItWorked(t *testing.T) {
	f := newFolders(t)
	probes := newProbeCache(f)
	if probes.boot == "" {
		t.Skip("nothing is cached on a system without a boot id")
	}
	for _, engine := range []string{"docker", "podman"} {
		fixture.Write(t, filepath.Join(f.Config, ".engines", engine), probes.boot, 0o600)
	}
	fixture.Programs(t, map[string]string{"docker": `echo "cannot connect" >&2; exit 1`, "podman": fixture.Engine{}.Script()})
	u := &up{o: UpOptions{Name: "one", Folders: f}, rec: newRecorder(nil)}
	if engine, err := u.findEngine(t.Context()); err != nil || engine != "podman" {
		t.Errorf("chose %q, %v", engine, err)
	}
}

func TestChooseEngine_RefusesForeignObjects(t *testing.T) {
	foreign := fixture.Engine{Nodes: []fixture.Node{{ID: "aaa", Name: "one-control-plane", Networks: []string{"kind"}}}}
	for _, c := range []struct {
		sentence, state string
		engine          fixture.Engine
	}{
		{"no state", "", foreign},
		{"the state of a cluster that was removed by hand", `{"id":"x","engine":"podman","created":"2030-01-02T03:04:05Z"}`, foreign},
		{"the state of the previous version", `{"engine":"podman","created":"2030-01-02T03:04:05Z"}`, foreign},
		{"an incomplete state of the previous version", `{"engine":"podman"}`, foreign},
		{"the state of another sandbox", `{"id":"y","engine":"podman","created":"2030-01-02T03:04:05Z"}`, complete("x")},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFolders(t)
			if c.state != "" {
				fixture.Write(t, filepath.Join(f.Config, "one", "state.json"), c.state, 0o600)
			}
			calls := fixture.Programs(t, map[string]string{"podman": c.engine.Script()})
			u := &up{o: UpOptions{Name: "one", Folders: f}, rec: newRecorder(nil)}
			err := u.chooseEngine(t.Context(), nil)
			fixture.WantError(t, err, "podman has a cluster called one that this sandbox did not create", "nothing was changed",
				"try: env KIND_EXPERIMENTAL_PROVIDER=podman kind delete cluster --name one")
			changesNothing(t, calls())
			if found, err := Down(t.Context(), DownOptions{Name: "one", Engine: "podman", Folders: f}); err == nil {
				t.Errorf("`down` found %v and did not refuse", found)
			}
			changesNothing(t, calls())
		})
	}
}

// changesNothing fails if an engine was asked to remove or create anything of a cluster. The container of the probe does not count.
func changesNothing(t *testing.T, calls []string) {
	t.Helper()
	for _, call := range calls {
		for _, verb := range []string{" rm ", " kill ", " create ", " start ", " stop "} {
			if strings.Contains(call, verb) && !strings.Contains(call, "run --rm") {
				t.Errorf("the engine was called with %q", call)
			}
		}
	}
}

func TestChooseEngine_RefusesRemoteEngines(t *testing.T) {
	const remote = `case "$1" in context) echo ssh://me@build.example ;; esac`
	for _, c := range []struct{ sentence, state, engine string }{
		{"a new sandbox", "", ""},
		{"a new sandbox with --engine", "", "docker"},
		{"a sandbox whose docker was local before", `{"id":"x","engine":"docker","created":"2030-01-02T03:04:05Z"}`, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFolders(t)
			if c.state != "" {
				fixture.Write(t, filepath.Join(f.Config, "one", "state.json"), c.state, 0o600)
			}
			calls := fixture.Programs(t, map[string]string{"docker": remote + "\n" + fixture.Engine{}.Script()})
			u := &up{o: UpOptions{Name: "one", Engine: c.engine, Folders: f}, rec: newRecorder(nil)}
			err := u.chooseEngine(t.Context(), nil)
			fixture.WantError(t, err, "docker runs containers on another machine (ssh://me@build.example)", "try: unset DOCKER_HOST")
			changesNothing(t, calls())
		})
	}
}
