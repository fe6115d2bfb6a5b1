package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func kubeconfigOf(name, server string) *api.Config {
	c := api.NewConfig()
	c.Clusters[name] = &api.Cluster{Server: server}
	c.AuthInfos[name] = &api.AuthInfo{Token: name}
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	return c
}

func TestMergeKubeconfig_KeepsTheUsersContext(t *testing.T) {
	own := kubeconfigOf("kind-sandbox", "https://127.0.0.1:6443")
	for _, c := range []struct {
		sentence, current string
		users             *api.Config
		contexts          int
	}{
		{"without a current context, ours becomes the current one", "kind-sandbox", api.NewConfig(), 1},
		{"the user's current context is kept", "work", kubeconfigOf("work", "https://work.test"), 2},
		{"the context of an earlier cluster is replaced", "kind-sandbox", kubeconfigOf("kind-sandbox", "https://127.0.0.1:1"), 1},
	} {
		mergeKubeconfig(c.users, own)
		if c.users.CurrentContext != c.current || len(c.users.Contexts) != c.contexts || len(c.users.AuthInfos) != c.contexts {
			t.Errorf("%s: %+v", c.sentence, c.users)
		}
		if got := c.users.Clusters["kind-sandbox"].Server; got != "https://127.0.0.1:6443" {
			t.Errorf("%s: our cluster is at %s", c.sentence, got)
		}
	}
}

func TestExportKubeconfig_RecordsEveryFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	f := sandbox.Folders{Config: filepath.Join(dir, "config")}
	if err := clientcmd.WriteToFile(*kubeconfigOf("kind-sandbox", "https://127.0.0.1:1"), f.Kubeconfig("sandbox")); err != nil {
		t.Fatal(err)
	}
	// The paths are relative to the working directory.
	for _, variable := range []string{"mine", "other", "mine"} {
		t.Setenv("KUBECONFIG", variable)
		if err := exportKubeconfig(t.Context(), f, "sandbox", process{stderr: io.Discard, getenv: os.Getenv}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := exported(f, "sandbox")
	if want := []string{filepath.Join(dir, "mine"), filepath.Join(dir, "other")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("exported into %q, %v; want %q", files, err, want)
	}
}

func TestForgetKubeconfig_MissingFile(t *testing.T) {
	if files, err := exported(sandbox.Folders{Config: t.TempDir()}, "sandbox"); len(files) > 0 || err != nil {
		t.Errorf("never exported: %q, %v", files, err)
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*kubeconfigOf("kind-sandbox", "https://127.0.0.1:1"), file); err != nil {
		t.Fatal(err)
	}
	if err := forgetKubeconfig([]string{filepath.Join(t.TempDir(), "gone"), file}, "sandbox"); err != nil {
		t.Fatal(err)
	}
	if got, err := clientcmd.LoadFromFile(file); err != nil || got.CurrentContext != "" {
		t.Errorf("the removed context is still the current one: %+v, %v", got, err)
	}
}

// TestKubeconfig_LockedFile checks that the lock file is named and not removed. A killed kubectl leaves it behind, and only the user can know that.
func TestKubeconfig_LockedFile(t *testing.T) {
	dir := t.TempDir()
	mine, f := filepath.Join(dir, "mine"), sandbox.Folders{Config: filepath.Join(dir, "config")}
	for _, file := range []string{mine, f.Kubeconfig("sandbox")} {
		if err := clientcmd.WriteToFile(*kubeconfigOf("kind-sandbox", "https://127.0.0.1:1"), file); err != nil {
			t.Fatal(err)
		}
	}
	fixture.Write(t, mine+".lock", "", 0o600)
	t.Setenv("KUBECONFIG", mine)
	fixture.WantError(t, forgetKubeconfig([]string{mine}, "sandbox"), "removing kind-sandbox from "+mine, "try: rm "+mine+".lock   (if no kubectl is writing to that file)")
	err := exportKubeconfig(t.Context(), f, "sandbox", process{stderr: io.Discard, getenv: os.Getenv})
	fixture.WantError(t, err, "exporting the kubeconfig", "try: rm "+mine+".lock   (if no kubectl is writing to that file)")
	if _, err := os.Stat(mine + ".lock"); err != nil {
		t.Errorf("the lock is gone: %v", err)
	}
}

func TestExportKubeconfig_AddsAndRemovesTheContext(t *testing.T) {
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
			if err := clientcmd.WriteToFile(*kubeconfigOf("work", "https://work.test"), file); err != nil {
				t.Fatal(err)
			}
			f := sandbox.Folders{Config: filepath.Join(dir, "config")}
			if err := clientcmd.WriteToFile(*kubeconfigOf("kind-sandbox", "https://127.0.0.1:6443"), f.Kubeconfig("sandbox")); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			proc := process{stderr: &said, getenv: func(name string) string { return map[string]string{"HOME": dir}[name] }}
			for range 2 {
				if err := exportKubeconfig(t.Context(), f, "sandbox", proc); err != nil {
					t.Fatal(err)
				}
			}
			got, err := clientcmd.LoadFromFile(file)
			if err != nil || got.CurrentContext != "work" || got.Contexts["kind-sandbox"] == nil || got.Clusters["work"] == nil {
				t.Errorf("%s contains %+v, %v", file, got, err)
			}
			if !strings.Contains(said.String(), "kubectl: added context kind-sandbox to "+file+"\n") {
				t.Errorf("it printed %q", said.String())
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("its mode is %v, %v", info.Mode(), err)
			}
			files, err := exported(f, "sandbox")
			if err != nil {
				t.Fatal(err)
			}
			// The removal is idempotent.
			for range 2 {
				if err := forgetKubeconfig(files, "sandbox"); err != nil {
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
	f := sandbox.Folders{Config: broken}
	if err := clientcmd.WriteToFile(*kubeconfigOf("kind-sandbox", "https://127.0.0.1:6443"), f.Kubeconfig("sandbox")); err != nil {
		t.Fatal(err)
	}
	fixture.WantError(t, exportKubeconfig(t.Context(), f, "sandbox", process{getenv: func(string) string { return "" }}), broken, "\ntry: repair that file")
	err := exportKubeconfig(t.Context(), sandbox.Folders{Config: t.TempDir()}, "sandbox", process{getenv: func(string) string { return "" }})
	if !errorSays(err, "exporting the kubeconfig: ") {
		t.Errorf("without a sandbox: %v", err)
	}
}
