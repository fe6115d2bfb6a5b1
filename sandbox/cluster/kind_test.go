package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestCreateHooks_FollowKindsSteps(t *testing.T) {
	for _, c := range []struct {
		sentence string
		export   error
		want     []string
	}{
		{"the API server answers once its kubeconfig is written", nil,
			[]string{"Preparing nodes", "Starting control-plane", "takes images", "Installing CNI", "answers", "Waiting"}},
		{"without a kubeconfig the hook is not called", errors.New("no node"),
			[]string{"Preparing nodes", "Starting control-plane", "takes images", "Installing CNI", "Waiting"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var called []string
			hook := func(what string) func() { return func() { called = append(called, what) } }
			hooks := CreateHooks{Step: func(s string) { called = append(called, s) }, OnContainerd: hook("takes images"), OnAPIServer: hook("answers")}
			log := newProgressLogger(hooks.progress(func() error { return c.export }))
			for _, line := range []string{" • Preparing nodes 📦 ", " • Starting control-plane 🕹️  ...", " ✓ Starting control-plane", " • Installing CNI 🔌  ...", " • Waiting ⏳"} {
				log.say(line)
			}
			if diff := cmp.Diff(c.want, called); diff != "" {
				t.Errorf("called (-want +got):\n%s", diff)
			}
		})
	}
	// All hooks may be nil.
	CreateHooks{}.progress(func() error { return nil })(installingCNI)
}

func TestStart_FromEveryStatus(t *testing.T) {
	for status, want := range map[string][]string{
		"exited":  {"start one-control-plane"},
		"created": {"start one-control-plane"},
		"paused":  {"unpause one-control-plane"},
		// The engine has not noticed that the node's processes are gone.
		"running": {"kill one-control-plane", "start one-control-plane", "exec one-control-plane true"},
	} {
		e, calls := fakeEngine(t, `case "$1" in inspect) echo `+status+`;; kill) exit 1;; esac`)
		restarted, err := Cluster{Name: "one", Engine: e}.Start(t.Context())
		if err != nil || restarted != (status != "paused") {
			t.Errorf("%s: restarted %t, %v", status, restarted, err)
		}
		if diff := cmp.Diff(want, calls()[1:]); diff != "" {
			t.Errorf("a node that is %s (-want +got):\n%s", status, diff)
		}
	}
}

func TestStart_NodeIsLost(t *testing.T) {
	for engine, want := range map[string]string{
		`inspect) echo stopping;; start) echo "container state improper" >&2; exit 125`: "starting the node again: running fakeengine start: exit status 125: container state improper",
		`inspect) echo running;; exec) echo "stopped container" >&2; exit 255`:          "fakeengine calls the node running, but its processes are gone",
	} {
		e, _ := fakeEngine(t, `case "$1" in `+engine+`;; esac`)
		_, err := Cluster{Name: "one", Engine: e}.Start(t.Context())
		fixture.WantError(t, err, want)
		if len(remedy.Of(err)) == 0 {
			t.Errorf("%v has no remedy", err)
		}
	}
}

// twoContainers is an engine with a node, whose mounts are a volume and a folder, and a worker without volumes.
var twoContainers = fixture.Engine{
	Nodes: []fixture.Node{
		{ID: "aaa", Name: "one-control-plane", Networks: []string{"sandbox-one"}, Volumes: []string{"vvv"}},
		{ID: "bbb", Name: "one-worker", Networks: []string{"sandbox-one"}},
	},
	Networks: map[string]map[string]string{"bridge": nil, "sandbox-one": {"sandbox.dev/id": "x"}},
}

func TestDelete_RemovesWhatTheSandboxCreated(t *testing.T) {
	const ps = "ps -aq --filter label=io.x-k8s.kind.cluster=one"
	end := []string{"network rm sandbox-one", "volume rm -f sandbox-one-creating"}
	foreign := fixture.Engine{Nodes: []fixture.Node{{ID: "ccc", Name: "one-control-plane", Networks: []string{"kind"}, Volumes: []string{"www"}}}}
	for _, c := range []struct {
		sentence, before string
		engine           fixture.Engine
		calls            []string
		fails            string
	}{
		{"nodes, their volumes, the network and the marker", "", twoContainers, slices.Concat([]string{
			ps, "inspect aaa", "inspect bbb", "kill aaa", "rm -f -v aaa", "volume rm -f vvv", "kill bbb", "rm -f -v bbb"}, end), ""},
		{"a missing cluster is not an error", `case "$1 $2" in
"network rm") echo "Error: unable to find network with name or ID sandbox-one: network not found" >&2; exit 1;;
"volume rm") echo "Error: no such volume sandbox-one-creating" >&2; exit 1;; esac`, fixture.Engine{}, append([]string{ps}, end...), ""},
		{"a missing cluster is not an error with docker", `case "$1 $2" in
"network rm") echo "Error response from daemon: network sandbox-one not found" >&2; exit 1;; esac`, fixture.Engine{}, append([]string{ps}, end...), ""},
		{"a node on another network stays", "", foreign, append([]string{ps, "inspect ccc"}, end...), ""},
		{"a missing container is not an error with podman", `[ "$1" = rm ] && { echo "Error: no such container aaa" >&2; exit 1; }`, twoContainers, nil, ""},
		{"a missing container is not an error with docker", `[ "$1" = rm ] && { echo "Error response from daemon: No such container: aaa" >&2; exit 1; }`, twoContainers, nil, ""},
		{"a container that was removed after it was listed is not an error", `[ "$1" = inspect ] && { echo "Error: No such object: aaa" >&2; exit 1; }`, twoContainers, nil, ""},
		{"a volume that was removed with its container is not an error", `[ "$1" = volume ] && { echo "Error: no such volume vvv" >&2; exit 1; }`, twoContainers, nil, ""},
		{"a container that cannot be removed is an error", `[ "$1" = rm ] && { echo "device busy" >&2; exit 1; }`, twoContainers, nil,
			"deleting the cluster: running fakeengine rm: exit status 1: device busy"},
		{"a volume in use is an error", `[ "$1" = volume ] && { echo "volume is in use" >&2; exit 1; }`, twoContainers, nil, "volume is in use"},
		{"a network in use is an error", `[ "$1 $2" = "network rm" ] && { echo "has active endpoints" >&2; exit 1; }`, twoContainers, nil,
			"deleting the cluster's network: running fakeengine network: exit status 1: has active endpoints"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngine(t, c.before+"\n"+c.engine.Script())
			kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
			fixture.Write(t, kubeconfig, "", 0o600)
			err := Cluster{Name: "one", Engine: e, Kubeconfig: kubeconfig}.Delete(t.Context())
			if c.fails != "" {
				fixture.WantError(t, err, c.fails)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(kubeconfig); !os.IsNotExist(err) {
				t.Errorf("the kubeconfig is still there: %v", err)
			}
			got := calls()
			// The failure must not have stopped the removal.
			if c.calls == nil {
				c.calls, got = end, got[max(0, len(got)-len(end)):]
			}
			if diff := cmp.Diff(c.calls, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNodeImages_TagsAndBlobs(t *testing.T) {
	e, calls := fakeEngine(t, `printf 'docker.io/a:1 sha256:111\nsandbox.local/b:dev sha256:222\n\nsha256:111\nsha256:333\n'`)
	c := Cluster{Name: "one", Engine: e}
	images, blobs, err := c.NodeImages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"docker.io/a:1": "sha256:111", "sandbox.local/b:dev": "sha256:222"}, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"sha256:111": true, "sha256:333": true}, blobs); diff != "" {
		t.Errorf("blobs (-want +got):\n%s", diff)
	}
	if got := calls()[0]; got[:len("exec one-control-plane sh -c ")] != "exec one-control-plane sh -c " {
		t.Errorf("called %q", got)
	}
	e, _ = fakeEngine(t, `echo "not running" >&2; exit 1`)
	_, _, err = Cluster{Name: "one", Engine: e}.NodeImages(t.Context())
	fixture.WantError(t, err, "listing the node's images", "not running")
}

func TestSetNetwork_OneClusterAtATime(t *testing.T) {
	for _, v := range networkVariables {
		t.Setenv(v, "before")
	}
	release, err := Cluster{Name: "one"}.setNetwork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range networkVariables {
		if got := os.Getenv(v); got != "sandbox-one" {
			t.Errorf("%s is %q", v, got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := (Cluster{Name: "two"}).setNetwork(ctx); !errors.Is(err, context.DeadlineExceeded) || os.Getenv(networkVariables[0]) != "sandbox-one" {
		t.Errorf("a second cluster: %v, network %q", err, os.Getenv(networkVariables[0]))
	}
	release()
	release()
	release, err = Cluster{Name: "two"}.setNetwork(t.Context())
	if err != nil || os.Getenv(networkVariables[0]) != "sandbox-two" {
		t.Errorf("after the first: %v, network %q", err, os.Getenv(networkVariables[0]))
	}
	release()
}

// TestCreate_TwoAtOnce creates clusters with an engine that fails to run the node, and compares the names and networks of the nodes.
func TestCreate_TwoAtOnce(t *testing.T) {
	e, calls := fakeEngineNamed(t, "podman", `
case "$1" in
--version) echo podman version 5.4.2 ;;
info) echo '{"host":{"cgroupVersion":"v2","cgroupControllers":["cpu","memory","pids"]}}' ;;
network) [ "$2" != inspect ] || echo '[]' ;;
volume) echo v ;;
run) sleep 0.1; exit 1 ;;
esac`)
	var all sync.WaitGroup
	for _, name := range []string{"one", "two", "three"} {
		all.Go(func() {
			c := Cluster{Name: name, Engine: e, Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), Image: "node:1"}
			if err := c.Create(t.Context(), Host{}, CreateHooks{}); err == nil {
				t.Errorf("%s: the engine failed, and Create did not", name)
			}
		})
	}
	all.Wait()
	nodes := 0
	for _, call := range calls() {
		words := strings.Fields(call)
		node, network := slices.Index(words, "--name"), slices.Index(words, "--net")
		if !slices.Contains(words, "run") || node < 0 || network < 0 {
			continue
		}
		nodes++
		if want := "sandbox-" + strings.TrimSuffix(words[node+1], "-control-plane"); words[network+1] != want {
			t.Errorf("node %s is on network %s", words[node+1], words[network+1])
		}
	}
	if nodes != 3 {
		t.Errorf("%d nodes in %q", nodes, calls())
	}
}

func TestConfig_FollowsTheHost(t *testing.T) {
	for _, c := range []struct {
		sentence            string
		host                Host
		kubeadm, containerd []string
	}{
		{"an ordinary host has only the patches for speed and memory", Host{}, []string{restartPatch, syncPatch, etcdPatch, keysPatch, collectPatch}, nil},
		{"cgroup v1 must be allowed", Host{CgroupV1: true}, []string{restartPatch, syncPatch, etcdPatch, keysPatch, collectPatch, cgroupV1Patch, preflightPatch}, nil},
		{"a host that cannot raise limits does not ask for it", Host{NoResources: true}, []string{restartPatch, syncPatch, etcdPatch, keysPatch, collectPatch, userNamespacePatch}, []string{oomPatch}},
		{"both", Host{CgroupV1: true, NoResources: true}, []string{restartPatch, syncPatch, etcdPatch, keysPatch, collectPatch, cgroupV1Patch, preflightPatch, userNamespacePatch}, []string{oomPatch}},
	} {
		got := config("one", c.host, nil)
		if got.Name != "one" || !slices.Equal(got.KubeadmConfigPatches, c.kubeadm) || !slices.Equal(got.ContainerdConfigPatches, c.containerd) {
			t.Errorf("%s: got %+v", c.sentence, got)
		}
	}
}

func TestConfig_MapsPortsOnTheLoopbackInterfaceOnly(t *testing.T) {
	got := config("one", Host{}, []Port{{Node: 30443, Host: 9443}})
	if len(got.Nodes) != 1 || len(got.Nodes[0].ExtraPortMappings) != 1 {
		t.Fatalf("got %+v", got.Nodes)
	}
	if p := got.Nodes[0].ExtraPortMappings[0]; p.ListenAddress != "127.0.0.1" || p.HostPort != 9443 || p.ContainerPort != 30443 {
		t.Errorf("got %+v", p)
	}
}

func TestProgressLogger_ReportsStepsAndWarnings(t *testing.T) {
	for _, c := range []struct{ sentence, line, want string }{
		{"a step that starts, with its picture", " • Ensuring node image (kindest/node:v1.37.2) 🖼  ...\n", "Ensuring node image (kindest/node:v1.37.2)"},
		{"a step that starts, with a picture of two characters", " • Starting control-plane 🕹️  ...\n", "Starting control-plane"},
		{"a step that starts, plain", " • Writing configuration …", "Writing configuration"},
		{"a step that ended is not reported", " ✓ Preparing nodes 📦\n", ""},
		{"a step that failed is not reported; its error is", " ✗ Preparing nodes 📦\n", ""},
		{"anything else is not reported", "Creating cluster \"one\" ...\n", ""},
		{"nothing is not reported", "", ""},
	} {
		if got := stepName(c.line); got != c.want {
			t.Errorf("%s: got %q, want %q", c.sentence, got, c.want)
		}
	}
	var reported []string
	l := newProgressLogger(func(s string) { reported = append(reported, s) })
	l.V(0).Infof(" • Preparing %s", "nodes")
	l.V(1).Info(" • too deep")
	l.Warn("our network")
	l.Errorf("broken: %d", 1)
	if want := []string{"Preparing nodes", "kind: broken: 1"}; !slices.Equal(reported, want) {
		t.Errorf("reported %q, want %q", reported, want)
	}
	// It must not panic without an observer.
	newProgressLogger(nil).V(0).Info(" • no observer")
}

// TestCreate_CancelledBeforeTheNodeExists cancels between kind's request for the node and its creation. kind takes no context, and would wait half a
// minute.
func TestCreate_CancelledBeforeTheNodeExists(t *testing.T) {
	dir := t.TempDir()
	node, asked := filepath.Join(dir, "node"), filepath.Join(dir, "asked")
	e, _ := fakeEngineNamed(t, "podman", `
node='`+node+`'
case "$1" in
--version) echo podman version 5.4.2 ;;
info) echo '{"host":{"cgroupVersion":"v2","cgroupControllers":["cpu","memory","pids"]}}' ;;
ps) [ ! -e "$node" ] || echo one-control-plane ;;
inspect) [ "$2" = --type=image ] || echo '[{"Name":"one-control-plane","NetworkSettings":{"Networks":{"sandbox-one":{}}}}]' ;;
network) [ "$2" != inspect ] || echo '[]' ;;
volume) echo v ;;
run) touch '`+asked+`'; sleep 1; touch "$node" ;; # the first removal comes before the node
logs) while [ -e "$node" ]; do sleep 0.05; done ;;
rm) rm -f "$node" ;;
esac`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		_ = pause.Until(ctx, time.Millisecond, func(context.Context) (bool, error) {
			_, err := os.Stat(asked)
			return err == nil, nil
		})
		cancel()
	})
	started := time.Now()
	err := Cluster{Name: "one", Engine: e, Kubeconfig: filepath.Join(dir, "kubeconfig"), Image: "node:1"}.Create(ctx, Host{}, CreateHooks{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it ended after %v: kind was waited for", took)
	}
	if _, err := os.Stat(node); err == nil {
		t.Error("the node is still there")
	}
}
