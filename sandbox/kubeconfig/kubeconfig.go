// Package kubeconfig merges the kubeconfig of a sandbox into the user's own, and removes it again.
//
// The user's files are those that kubectl uses: the ones of KUBECONFIG, or else ~/.kube/config. Because KUBECONFIG may change between the two, a note
// next to the sandbox lists the files that may contain its entries.
package kubeconfig

import (
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
)

// Exported is the name of the context that Export has added, and the file to which it was added.
type Exported struct{ Context, File string }

// Export merges the kubeconfig in the file own into the user's own, without changing the user's current context. It adds the user's files to the file
// note. An empty home means that of the process.
func Export(own, note, home string) (Exported, error) {
	made, err := clientcmd.LoadFromFile(own)
	if err != nil {
		return Exported{}, fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	// The default options read KUBECONFIG, as kubectl does.
	paths := clientcmd.NewDefaultPathOptions()
	if home != "" {
		paths.GlobalFile = filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)
	}
	users, err := paths.GetStartingConfig()
	if err != nil {
		return Exported{}, remedy.Wrap(fmt.Errorf("exporting the kubeconfig: %w", err),
			remedy.Advicef("repair that file, or set KUBECONFIG to another file, then %s", remedy.Command("up", "--export-kubeconfig")))
	}
	merge(users, made)
	// The files are recorded first, so that `down` also cleans up after an export that was killed.
	if err := add(note, paths.GetLoadingPrecedence()); err != nil {
		return Exported{}, fmt.Errorf("exporting the kubeconfig: %w", err)
	}
	if err := clientcmd.ModifyConfig(paths, *users, true); err != nil {
		return Exported{}, withLock(fmt.Errorf("exporting the kubeconfig: %w", err))
	}
	return Exported{Context: made.CurrentContext, File: paths.GetDefaultFilename()}, nil
}

// merge merges own into users. The user's current context is kept if there is one. A new entry gets no LocationOfOrigin, so that it is
// written to the user's default file; with the location it was read from, it would be written back to the kubeconfig of the sandbox.
func merge(users, own *api.Config) {
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

// add adds files to a note.
func add(note string, files []string) error {
	all, err := noted(note)
	if err != nil {
		return err
	}
	for _, file := range files {
		// Paths in KUBECONFIG may be relative to a directory that `down` does not run in.
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
		if !slices.Contains(all, file) {
			all = append(all, file)
		}
	}
	return os.WriteFile(note, []byte(strings.Join(all, "\n")), 0o600)
}

// noted returns the user's files that may contain entries of a sandbox. There are none if it was never exported.
func noted(note string) ([]string, error) {
	data, err := os.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' }), err
}

// Forget removes the entries of a sandbox from the files of a note. It is idempotent.
func Forget(note, name string) error {
	files, err := noted(note)
	if err != nil {
		return fmt.Errorf("reading which kubeconfig files contain the sandbox: %w", err)
	}
	entry := "kind-" + name
	for _, file := range files {
		path := &clientcmd.PathOptions{GlobalFile: file, LoadingRules: clientcmd.NewDefaultClientConfigLoadingRules()}
		users, err := path.GetStartingConfig()
		if err != nil {
			return remedy.Wrap(fmt.Errorf("removing %s from %s: %w", entry, file, err), remedy.Shell("kubectl", "config", "delete-context", entry))
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
			return withLock(remedy.Wrap(fmt.Errorf("removing %s from %s: %w", entry, file, err), remedy.Shell("kubectl", "config", "delete-context", entry)))
		}
	}
	return nil
}

// withLock adds a remedy to an error about an existing lock file of the user's kubeconfig. The lock may belong to a running kubectl, so it is not
// removed.
func withLock(err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) || !errors.Is(err, fs.ErrExist) {
		return err
	}
	return remedy.Wrap(err, remedy.Shell("rm", path.Path).If("no kubectl is writing to that file"))
}
