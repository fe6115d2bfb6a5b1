package kubeconfig

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func configOf(name, server string) *api.Config {
	c := api.NewConfig()
	c.Clusters[name] = &api.Cluster{Server: server}
	c.AuthInfos[name] = &api.AuthInfo{Token: name}
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	return c
}

// filesIn returns the paths of the sandbox's own kubeconfig and of its note.
func filesIn(dir string) (own, note string) {
	return filepath.Join(dir, "config", "sandbox", "kubeconfig"), filepath.Join(dir, "config", "sandbox", "exported")
}

func TestMerge_KeepsTheUsersContext(t *testing.T) {
	own := configOf("kind-sandbox", "https://127.0.0.1:6443")
	for _, c := range []struct {
		sentence, current string
		users             *api.Config
		contexts          int
	}{
		{"without a current context, ours becomes the current one", "kind-sandbox", api.NewConfig(), 1},
		{"the user's current context is kept", "work", configOf("work", "https://work.test"), 2},
		{"the context of an earlier cluster is replaced", "kind-sandbox", configOf("kind-sandbox", "https://127.0.0.1:1"), 1},
	} {
		merge(c.users, own)
		if c.users.CurrentContext != c.current || len(c.users.Contexts) != c.contexts || len(c.users.AuthInfos) != c.contexts {
			t.Errorf("%s: %+v", c.sentence, c.users)
		}
		if got := c.users.Clusters["kind-sandbox"].Server; got != "https://127.0.0.1:6443" {
			t.Errorf("%s: our cluster is at %s", c.sentence, got)
		}
	}
}

func TestExport_RecordsEveryFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	own, note := filesIn(dir)
	if err := clientcmd.WriteToFile(*configOf("kind-sandbox", "https://127.0.0.1:1"), own); err != nil {
		t.Fatal(err)
	}
	// The paths are relative to the working directory.
	for _, variable := range []string{"mine", "other", "mine"} {
		t.Setenv("KUBECONFIG", variable)
		if _, err := Export(own, note, dir); err != nil {
			t.Fatal(err)
		}
	}
	files, err := noted(note)
	if want := []string{filepath.Join(dir, "mine"), filepath.Join(dir, "other")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("exported into %q, %v; want %q", files, err, want)
	}
}

func TestForget_MissingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	note := filepath.Join(t.TempDir(), "exported")
	if err := Forget(note, "sandbox"); err != nil {
		t.Errorf("never exported: %v", err)
	}
	fixture.Write(t, note, filepath.Join(t.TempDir(), "gone")+"\n"+file, 0o600)
	if err := clientcmd.WriteToFile(*configOf("kind-sandbox", "https://127.0.0.1:1"), file); err != nil {
		t.Fatal(err)
	}
	if err := Forget(note, "sandbox"); err != nil {
		t.Fatal(err)
	}
	if got, err := clientcmd.LoadFromFile(file); err != nil || got.CurrentContext != "" {
		t.Errorf("the removed context is still the current one: %+v, %v", got, err)
	}
}

// TestKubeconfig_LockedFile checks that the lock file is named and not removed. A killed kubectl leaves it behind, and only the user can know that.
func TestKubeconfig_LockedFile(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine")
	own, note := filesIn(dir)
	for _, file := range []string{mine, own} {
		if err := clientcmd.WriteToFile(*configOf("kind-sandbox", "https://127.0.0.1:1"), file); err != nil {
			t.Fatal(err)
		}
	}
	fixture.Write(t, mine+".lock", "", 0o600)
	t.Setenv("KUBECONFIG", mine)
	fixture.Write(t, note, mine, 0o600)
	fixture.WantError(t, Forget(note, "sandbox"), "removing kind-sandbox from "+mine, "try: rm "+mine+".lock   (if no kubectl is writing to that file)")
	_, err := Export(own, note, dir)
	fixture.WantError(t, err, "exporting the kubeconfig", "try: rm "+mine+".lock   (if no kubectl is writing to that file)")
	if _, err := os.Stat(mine + ".lock"); err != nil {
		t.Errorf("the lock is gone: %v", err)
	}
}

func TestExport_AddsAndRemovesTheContext(t *testing.T) {
	for _, c := range []struct {
		sentence string
		// Whether KUBECONFIG is set.
		variable bool
	}{{"into HOME", false}, {"into the file of KUBECONFIG", true}} {
		t.Run(c.sentence, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, ".kube", "config")
			t.Setenv("KUBECONFIG", "")
			if c.variable {
				file = filepath.Join(dir, "mine")
				t.Setenv("KUBECONFIG", file)
			}
			if err := clientcmd.WriteToFile(*configOf("work", "https://work.test"), file); err != nil {
				t.Fatal(err)
			}
			own, note := filesIn(dir)
			if err := clientcmd.WriteToFile(*configOf("kind-sandbox", "https://127.0.0.1:6443"), own); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got, err := Export(own, note, dir); err != nil || got != (Exported{"kind-sandbox", file}) {
					t.Fatal(got, err)
				}
			}
			got, err := clientcmd.LoadFromFile(file)
			if err != nil || got.CurrentContext != "work" || got.Contexts["kind-sandbox"] == nil || got.Clusters["work"] == nil {
				t.Errorf("%s contains %+v, %v", file, got, err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("its mode is %v, %v", info.Mode(), err)
			}
			// The removal is idempotent.
			for range 2 {
				if err := Forget(note, "sandbox"); err != nil {
					t.Fatal(err)
				}
			}
			got, err = clientcmd.LoadFromFile(file)
			if err != nil || got.CurrentContext != "work" || len(got.Contexts) != 1 || len(got.Clusters) != 1 || len(got.AuthInfos) != 1 {
				t.Errorf("after the removal, %s contains %+v, %v", file, got, err)
			}
		})
	}
	broken := t.TempDir()
	t.Setenv("KUBECONFIG", filepath.Join(broken, "config"))
	fixture.Write(t, filepath.Join(broken, "config"), "[", 0o600)
	own, note := filesIn(t.TempDir())
	if err := clientcmd.WriteToFile(*configOf("kind-sandbox", "https://127.0.0.1:6443"), own); err != nil {
		t.Fatal(err)
	}
	_, err := Export(own, note, "")
	fixture.WantError(t, err, broken, "\ntry: repair that file")
	_, err = Export(filepath.Join(t.TempDir(), "none"), note, "")
	fixture.WantError(t, err, "exporting the kubeconfig: ")
}
