package cluster

import "testing"

func TestStorage_UsesTheEnginesInfo(t *testing.T) {
	for name, field := range map[string]string{"docker": "{{.DockerRootDir}}", "podman": "{{.Store.GraphRoot}}"} {
		e, calls := fakeEngineNamed(t, name, "echo /var/lib/engine")
		if got, err := e.Storage(t.Context()); got != "/var/lib/engine" || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, want := calls()[0], "info --format "+field; got != want {
			t.Errorf("%s was asked %q, want %q", name, got, want)
		}
	}
}

func TestStorage_NerdctlFallsBackToContainerdRoot(t *testing.T) {
	t.Setenv("HOME", "/home/dev")
	for uid, want := range map[int]string{0: "/var/lib/containerd", 1000: "/home/dev/.local/share/containerd"} {
		if got, err := containerdRoot(uid); got != want || err != nil {
			t.Errorf("user %d: got %q, %v; want %q", uid, got, err, want)
		}
	}
	e, _ := fakeEngineNamed(t, "nerdctl", "exit 1")
	if got, err := e.Storage(t.Context()); got == "" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
