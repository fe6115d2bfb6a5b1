package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
)

// exportKubeconfig merges the sandbox's kubeconfig into the user's own, without changing the user's current context.
func exportKubeconfig(_ context.Context, f sandbox.Folders, name string, w world) error {
	own, err := clientcmd.LoadFromFile(f.Kubeconfig(name))
	if err != nil {
		return fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	paths := clientcmd.NewDefaultPathOptions() // with KUBECONFIG, as kubectl reads it
	if home := w.getenv("HOME"); home != "" {
		paths.GlobalFile = filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)
	}
	users, err := paths.GetStartingConfig()
	if err != nil {
		return remedy.Wrap(fmt.Errorf("exporting the kubeconfig: %w", err), remedy.Advice("repair that file, or export KUBECONFIG=FILE with another one, then up --export-kubeconfig"))
	}
	mergeKubeconfig(users, own)
	// Noted first: what a kill leaves half done, `down` undoes too.
	if err := noteExport(f, name, paths.GetLoadingPrecedence()); err != nil {
		return fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	if err := clientcmd.ModifyConfig(paths, *users, true); err != nil {
		return withLock(fmt.Errorf("exporting the kubeconfig: %w", err))
	}
	fmt.Fprintf(w.stderr, "kubectl: context %s is in %s\n", own.CurrentContext, paths.GetDefaultFilename())
	return nil
}

// mergeKubeconfig puts own into users; the user's current context stays when there is one. What is new has no file yet, and so
// goes to the user's default one: with the file that it was read from, it would be written back to there.
func mergeKubeconfig(users, own *api.Config) {
	for name, c := range own.Clusters {
		c, old := c.DeepCopy(), users.Clusters[name]
		if c.LocationOfOrigin = ""; old != nil {
			c.LocationOfOrigin = old.LocationOfOrigin
		}
		users.Clusters[name] = c
	}
	for name, a := range own.AuthInfos {
		a, old := a.DeepCopy(), users.AuthInfos[name]
		if a.LocationOfOrigin = ""; old != nil {
			a.LocationOfOrigin = old.LocationOfOrigin
		}
		users.AuthInfos[name] = a
	}
	for name, c := range own.Contexts {
		c, old := c.DeepCopy(), users.Contexts[name]
		if c.LocationOfOrigin = ""; old != nil {
			c.LocationOfOrigin = old.LocationOfOrigin
		}
		users.Contexts[name] = c
	}
	if users.CurrentContext == "" {
		users.CurrentContext = own.CurrentContext
	}
}

// noteExport adds files to those that exported lists.
func noteExport(f sandbox.Folders, name string, files []string) error {
	all, err := exported(f, name)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file, err = filepath.Abs(file); err != nil { // KUBECONFIG may count from a folder that `down` is not in
			return err
		}
		if !slices.Contains(all, file) {
			all = append(all, file)
		}
	}
	return os.WriteFile(f.Exported(name), []byte(strings.Join(all, "\n")), 0o600)
}

// exported are the user's kubeconfig files that may hold a sandbox's entries; none when it was never exported.
func exported(f sandbox.Folders, name string) ([]string, error) {
	data, err := os.ReadFile(f.Exported(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' }), err
}

// forgetKubeconfig takes a sandbox's entries out of the user's kubeconfig files.
func forgetKubeconfig(files []string, name string) error {
	entry := "kind-" + name
	for _, file := range files {
		path := &clientcmd.PathOptions{GlobalFile: file, LoadingRules: clientcmd.NewDefaultClientConfigLoadingRules()}
		users, err := path.GetStartingConfig()
		if err != nil {
			return remedy.Wrap(fmt.Errorf("taking %s out of %s: %w", entry, file, err), remedy.Shell("kubectl", "config", "delete-context", entry))
		}
		if users.Contexts[entry] == nil && users.Clusters[entry] == nil && users.AuthInfos[entry] == nil {
			continue
		}
		delete(users.Contexts, entry)
		delete(users.Clusters, entry)
		delete(users.AuthInfos, entry)
		if users.CurrentContext == entry {
			users.CurrentContext = ""
		}
		if err := clientcmd.ModifyConfig(path, *users, false); err != nil {
			return withLock(remedy.Wrap(fmt.Errorf("taking %s out of %s: %w", entry, file, err), remedy.Shell("kubectl", "config", "delete-context", entry)))
		}
	}
	return nil
}

// withLock names the lock file of the user's kubeconfig when an error is about one. It may be a running kubectl's, so it is not removed.
func withLock(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) || !errors.Is(err, fs.ErrExist) {
		return err
	}
	return remedy.Wrap(err, remedy.Shell("rm", path.Path).If("no kubectl is writing to that file"))
}
