// Package sandbox creates, repairs and removes the local platform. Each operation is a list of steps: see Up and Down.
package sandbox

import (
	"os"
	"path/filepath"
	"regexp"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// DefaultName is the name of the sandbox if a command does not name one.
const DefaultName = "sandbox"

// Folders are the directories in which a sandbox keeps its files.
type Folders struct {
	// Config has the state, the kubeconfig and the lock, in one folder for each sandbox.
	Config string
	// Cache has images and charts, shared by all sandboxes.
	Cache string
	// State has reports, which are kept when the sandbox is removed.
	State string
}

func (f Folders) of(name string) string { return filepath.Join(f.Config, name) }

// Kubeconfig returns the path of the sandbox's own kubeconfig.
func (f Folders) Kubeconfig(name string) string { return filepath.Join(f.of(name), "kubeconfig") }

// Exported returns the path of the file that lists the user's kubeconfig files into which the sandbox was exported.
func (f Folders) Exported(name string) string { return filepath.Join(f.of(name), "exported") }

// Journal returns the folder of a sandbox's scenario journals.
func (f Folders) Journal(name string) string { return filepath.Join(f.of(name), "runs") }

// Run is the file with the scenario that runs in a sandbox, or the last one that did.
func (f Folders) Run(name string) string { return filepath.Join(f.of(name), "run.json") }

// Reports returns the folder of a sandbox's scenario reports. `down` keeps it.
func (f Folders) Reports(name string) string { return filepath.Join(f.State, name, "reports") }

// Contracts returns the folder in which contract verifications that are in progress are recorded.
func (f Folders) Contracts(name string) string { return filepath.Join(f.of(name), "contracts") }

// Partners returns the folder with the certificates and keys of the gateway's partners.
func (f Folders) Partners(name string) string { return filepath.Join(f.of(name), "partners") }

// Images returns the folder of the image cache.
func (f Folders) Images() string { return filepath.Join(f.Cache, "images") }

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// CheckName reports an error for a name that an engine or Kubernetes would refuse later.
func CheckName(name string) error {
	if validName.MatchString(name) {
		return nil
	}
	return remedy.Errorf(remedy.Flag("name", DefaultName), "--name %q: want a lower-case letter, then at most 39 of a-z, 0-9 and -", name)
}

const modulePath = "module github.com/grpc-sandbox/sandbox\n"

// FindSourceTree returns the root of the checkout of this project that contains folder, or an empty string.
func FindSourceTree(folder string) string {
	for {
		data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && len(data) >= len(modulePath) && string(data[:len(modulePath)]) == modulePath {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return ""
		}
		folder = parent
	}
}
