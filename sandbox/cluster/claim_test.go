package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestClaim_LabelsMarkerAndNetwork(t *testing.T) {
	first, second := subnet("sandbox-one", 0), subnet("sandbox-one", 1)
	const (
		volume  = "volume create --label sandbox.dev/id=abc --label sandbox.dev/user=7 --label sandbox.dev/process=boot.1 sandbox-one-creating"
		network = "network create -d=bridge --label sandbox.dev/id=abc --label sandbox.dev/user=7 "
		masq    = "-o com.docker.network.bridge.enable_ip_masquerade=true "
		mtu     = `network inspect bridge -f {{ index .Options "com.docker.network.driver.mtu" }}`
	)
	for _, c := range []struct {
		sentence, engine, body string
		calls                  []string
		fails                  string
	}{
		{"podman", "podman", "", []string{volume, network + "--ipv6 --subnet " + first + " sandbox-one"}, ""},
		{"docker with its own MTU", "docker", `[ "$1 $2" = "network inspect" ] && echo 1400; true`,
			[]string{volume, mtu, network + masq + "-o com.docker.network.driver.mtu=1400 --ipv6 --subnet " + first + " sandbox-one"}, ""},
		{"docker without an MTU", "docker", `[ "$1 $2" = "network inspect" ] && echo; true`, []string{volume, mtu, network + masq + "--ipv6 --subnet " + first + " sandbox-one"}, ""},
		{"a machine without IPv6", "podman", `case "$*" in *--ipv6*) echo "is ipv6 enabled in the kernel" >&2; exit 1;; esac`,
			[]string{volume, network + "--ipv6 --subnet " + first + " sandbox-one", network + "sandbox-one"}, ""},
		{"a subnet that another network has", "podman", `case "$*" in *` + first + `*) echo "subnet is already used on the host or by another config" >&2; exit 1;; esac`,
			[]string{volume, network + "--ipv6 --subnet " + first + " sandbox-one", network + "--ipv6 --subnet " + second + " sandbox-one"}, ""},
		{"an engine that refuses", "podman", `[ "$1" = network ] && { echo "permission denied" >&2; exit 1; }; true`, nil, "creating the cluster's network: running podman network"},
		{"an engine without volumes", "podman", `[ "$1" = volume ] && { echo "permission denied" >&2; exit 1; }; true`, nil, "marking the cluster as being created: running podman volume"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngineNamed(t, c.engine, c.body)
			err := Cluster{Name: "one", Engine: e}.Claim(t.Context(), Owner{ID: "abc", User: "7", Process: "boot.1"})
			if c.fails != "" {
				fixture.WantError(t, err, c.fails)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.calls, calls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubnet_IsStableAndPrivate(t *testing.T) {
	if a, b := subnet("sandbox-one", 0), subnet("sandbox-one", 0); a != b {
		t.Errorf("%s and %s", a, b)
	}
	seen := map[string]bool{}
	for _, name := range []string{"sandbox-one", "sandbox-two"} {
		for n := range subnetAttempts {
			s := subnet(name, n)
			if seen[s] || s[:2] != "fd" || s[len(s)-3:] != "/64" {
				t.Errorf("%s as attempt %d of %s", s, n, name)
			}
			seen[s] = true
		}
	}
}

// TestCreate_RemovesAStaleLock runs kind against an engine that refuses everything: the error must be the engine's, and not about the lock.
func TestCreate_RemovesAStaleLock(t *testing.T) {
	e, _ := fakeEngineNamed(t, "podman", `[ "$1" = ps ] && exit 0; echo "no such luck" >&2; exit 1`)
	c := Cluster{Name: "one", Engine: e, Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), Image: "node:1"}
	fixture.Write(t, c.Kubeconfig+".lock", "", 0o600)
	if err := c.Create(t.Context(), Host{}, CreateHooks{}); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(c.Kubeconfig + ".lock"); !os.IsNotExist(err) {
		t.Errorf("the lock is still there: %v", err)
	}
}

func TestLocal_RefusesEnginesOnOtherMachines(t *testing.T) {
	for _, c := range []struct {
		sentence, engine, says string
		remote                 bool
	}{
		{"docker's own socket", "docker", "unix:///var/run/docker.sock", false},
		{"rootless docker", "docker", "unix:///run/user/1000/docker.sock", false},
		{"Docker Desktop on Windows", "docker", "npipe:////./pipe/docker_engine", false},
		{"docker over ssh", "docker", "ssh://me@build.example", true},
		{"docker over ssh to this machine", "docker", "ssh://me@localhost", true},
		{"docker over TCP elsewhere", "docker", "tcp://10.0.0.7:2376", true},
		{"docker over TCP on this machine", "docker", "tcp://127.0.0.1:2375", false},
		{"docker over TCP on this machine by name", "docker", "tcp://localhost:2375", false},
		{"a docker without contexts", "docker", "", false},
		{"podman itself", "podman", "false /run/podman/podman.sock", false},
		{"podman's service on this machine", "podman", "true unix:///run/podman/podman.sock", false},
		{"podman over ssh", "podman", "true ssh://core@build.example:22/run/podman/podman.sock", true},
		{"nerdctl", "nerdctl", "", false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngineNamed(t, c.engine, `case "$1" in context|info) echo '`+c.says+`';; *) exit 1;; esac`)
			err := e.Local(t.Context())
			if c.remote {
				fixture.WantError(t, err, "on another machine", "try: unset", "try: another engine, with --engine")
			} else if err != nil {
				t.Error(err)
			}
			for _, call := range calls() {
				if call != "" && call != "context inspect --format {{.Endpoints.docker.Host}}" && call != "info --format {{.Host.ServiceIsRemote}} {{.Host.RemoteSocket.Path}}" {
					t.Errorf("called %q", call)
				}
			}
		})
	}
}

func TestProbe_UsesHostUserNamespaceIfDockerRemaps(t *testing.T) {
	for _, c := range []struct {
		sentence, engine, options, want string
	}{
		{"a docker with userns-remap", "docker", `["name=seccomp,profile=builtin","name=userns"]`, "run --rm --privileged --network=bridge --userns=host sandbox.local/probe:1 /probe"},
		{"an ordinary docker", "docker", `["name=seccomp,profile=builtin"]`, "run --rm --privileged --network=bridge sandbox.local/probe:1 /probe"},
		{"podman", "podman", `["name=userns"]`, "run --rm --privileged --network=bridge sandbox.local/probe:1 /probe"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngineNamed(t, c.engine, `[ "$1" = info ] && echo '`+c.options+`'; true`)
			if err := e.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, call := range calls() {
				if call[:3] == "run" && call != c.want {
					t.Errorf("called %q, want %q", call, c.want)
				}
			}
		})
	}
}
