package cluster

import "testing"

func TestEveryEngineThatTellsIsAskedWhereItsStorageIs(t *testing.T) {
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

func TestNerdctlWhichDoesNotTellHasItsStorageInContainerds(t *testing.T) {
	t.Setenv("HOME", "/home/dev")
	for _, c := range []struct {
		sentence string
		uid      int
		data     string
		want     string
	}{
		{"root", 0, "/elsewhere", "/var/lib/containerd"},
		{"a user", 1000, "", "/home/dev/.local/share/containerd"},
		{"a user who keeps data elsewhere", 1000, "/data", "/data/containerd"},
	} {
		if got, err := containerdRoot(c.uid, func(string) string { return c.data }); got != c.want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", c.sentence, got, err, c.want)
		}
	}
	e, _ := fakeEngineNamed(t, "nerdctl", "exit 1")
	if got, err := e.Storage(t.Context()); got == "" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
