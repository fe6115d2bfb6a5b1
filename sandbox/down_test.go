package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestDown_RemovesOnlyOwnClusters(t *testing.T) {
	const dead = `echo "cannot connect" >&2; exit 1`
	with := complete("x").Script()
	foreign := fixture.Engine{Nodes: []fixture.Node{{ID: "aaa", Name: "one-control-plane", Networks: []string{"kind"}}}}.Script()
	without := fixture.Engine{}.Script()
	remembered := `{"id":"x","engine":"podman","created":"2030-01-02T03:04:05Z"}`
	stuck := `if [ "$1" = rm ]; then echo "the container is busy" >&2; exit 1; fi` + "\n" + with
	for _, c := range []struct {
		sentence string
		state    string
		// The value of --engine.
		engine  string
		engines map[string]string
		found   bool
		removes []string
		fails   string
	}{
		{"only the engine in the state is used", remembered, "docker", map[string]string{"docker": with, "podman": with}, true, []string{"podman rm -f -v aaa"}, ""},
		{"a missing sandbox is not an error", "", "", map[string]string{"docker": without}, false, nil, ""},
		{"without a state, a cluster with our labels is removed from any engine", "", "", map[string]string{"docker": dead, "podman": with}, true, []string{"podman rm -f -v aaa"}, ""},
		{"without a state, the named engine is used", "", "docker", map[string]string{"docker": with}, true, []string{"docker rm -f -v aaa"}, ""},
		{"without a state, an engine that does not answer is not an error", "", "", map[string]string{"docker": dead}, false, nil, ""},
		{"without a state, a named engine that does not answer is an error", "", "docker", map[string]string{"docker": dead}, false, nil, "cannot connect\ntry: sandbox doctor"},
		{"without a state, a foreign cluster of that name is kept", "", "", map[string]string{"docker": foreign}, false, nil, ""},
		{"without a state, a foreign cluster of that name in a named engine is an error", "", "docker", map[string]string{"docker": foreign}, false, nil, "did not create"},
		{"a cluster that contradicts the state is kept", remembered, "", map[string]string{"podman": complete("y").Script()}, false, nil, "has the id y, and the state of this sandbox has the id x"},
		{"with a damaged state, the cluster is removed from any engine", "{", "", map[string]string{"docker": dead, "podman": with, "nerdctl": without}, true, []string{"podman rm -f -v aaa"}, ""},
		{"with a damaged state, the named engine is used", "{", "podman", map[string]string{"docker": with, "podman": with}, true, []string{"podman rm -f -v aaa"}, ""},
		{"an engine that does not answer is an error", remembered, "", map[string]string{"podman": dead}, false, nil, "cannot connect\ntry: sandbox doctor"},
		{"a damaged state with an engine that does not answer is an error where the others have nothing", "{", "", map[string]string{"docker": without, "podman": dead}, false, nil,
			"cannot connect\ntry: sandbox down --engine ENGINE"},
		{"a cluster that cannot be removed is an error", remembered, "", map[string]string{"podman": stuck}, false, nil, "the container is busy"},
		{"without a state, a cluster that cannot be removed is an error", "", "", map[string]string{"docker": dead, "podman": stuck}, false, nil, "the container is busy"},
		{"a damaged state with no engine that answers is an error", "{", "", map[string]string{"docker": dead}, false, nil, "cannot connect\ntry: sandbox doctor"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFolders(t)
			if c.state != "" {
				fixture.Write(t, filepath.Join(f.Config, "one", "state.json"), c.state, 0o600)
			}
			calls := fixture.Programs(t, c.engines)
			found, err := Down(t.Context(), DownOptions{Name: "one", Engine: c.engine, Folders: f})
			_, left := os.Stat(filepath.Join(f.Config, "one"))
			if c.fails != "" {
				fixture.WantError(t, err, c.fails)
				if c.state != "" && left != nil {
					t.Errorf("the state is gone, so the next `down` would find nothing: %v", left)
				}
				return
			}
			if err != nil || found.Found != c.found {
				t.Fatalf("found %v, %v", found, err)
			}
			var removed []string
			for _, line := range calls() {
				if strings.Contains(line, " rm -f -v ") {
					removed = append(removed, line)
				}
			}
			if !slices.Equal(removed, c.removes) {
				t.Errorf("removed %q, want %q", removed, c.removes)
			}
			if !os.IsNotExist(left) {
				t.Errorf("the sandbox's folder is still there: %v", left)
			}
			fixture.Programs(t, map[string]string{"docker": without, "podman": without})
			if again, err := Down(t.Context(), DownOptions{Name: "one", Folders: f}); err != nil || again.Found {
				t.Errorf("the second time: %v, %v", again, err)
			}
		})
	}
}

func TestDown_RefusesBadNamesAndLockedSandboxes(t *testing.T) {
	f := newFolders(t)
	_, err := Down(t.Context(), DownOptions{Name: "../x", Folders: f})
	fixture.WantError(t, err, "--name")
	unlock, err := Lock(f, "one", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = Down(t.Context(), DownOptions{Name: "one", Folders: f})
	fixture.WantError(t, err, "is being changed by `sandbox up`")
}

func TestOpen_NeedsACompleteSandbox(t *testing.T) {
	const made = `{"engine":"podman","created":"2030-01-02T03:04:05Z"}`
	for _, c := range []struct {
		sentence, name, state string
		kubeconfig            bool
		fails                 string
	}{
		{"a sandbox that is up", "one", made, true, ""},
		{"one that was never created", "one", "", false, "sandbox \"one\" is not up\ntry: sandbox up"},
		{"the default one, never created", DefaultName, "", false, "is not up\ntry: sandbox up"},
		{"one that is incomplete", "one", `{"engine":"podman"}`, true, "is not up"},
		{"one without its kubeconfig", "one", made, false, "is not up"},
		{"one with a damaged state", "one", "{", true, "try: sandbox down"},
		{"an invalid name", "One", "", false, "--name"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			f := newFolders(t)
			t.Setenv("CONTAINERS_CONF", "")
			if c.state != "" {
				fixture.Write(t, filepath.Join(f.Config, c.name, "state.json"), c.state, 0o600)
			}
			if c.kubeconfig {
				fixture.Write(t, f.Kubeconfig(c.name), "", 0o600)
			}
			got, err := Open(t.Context(), f, c.name)
			if c.fails != "" {
				fixture.WantError(t, err, c.fails)
				return
			}
			if err != nil || got.Name != "one" || got.Engine.Name != "podman" || got.Kubeconfig != f.Kubeconfig("one") {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestDown_ForgetsBeforeTheFolderIsRemoved(t *testing.T) {
	f := newFolders(t)
	note := f.Exported("one")
	if err := errors.Join(os.MkdirAll(filepath.Dir(note), 0o700), os.WriteFile(note, []byte("/users/config"), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err := Down(t.Context(), DownOptions{Name: "one", Folders: f, Forget: func() error {
		if _, err := os.Stat(note); err != nil {
			t.Error("the note is already gone:", err)
		}
		return errors.New("it cannot be written")
	}})
	fixture.WantError(t, err, "it cannot be written")
	if _, err := os.Stat(filepath.Dir(note)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the error of Forget kept the folder of the sandbox:", err)
	}
}
