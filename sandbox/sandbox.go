// Package sandbox brings the local platform up and down, step by step.
package sandbox

import (
	"os"
	"path/filepath"
	"regexp"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// DefaultName is the sandbox that a command means when it names none.
const DefaultName = "sandbox"

// Folders are where a sandbox keeps its files.
type Folders struct {
	Config string // state, kubeconfig and lock, one folder a sandbox
	Cache  string // images and charts, shared by all sandboxes
	State  string // reports, which outlive their sandbox
}

func (f Folders) of(name string) string { return filepath.Join(f.Config, name) }

// Kubeconfig is the file that a sandbox's own kubeconfig is in.
func (f Folders) Kubeconfig(name string) string { return filepath.Join(f.of(name), "kubeconfig") }

// Exported is the file that lists into which of the user's own kubeconfig files a sandbox was exported.
func (f Folders) Exported(name string) string { return filepath.Join(f.of(name), "exported") }

// Journal is the folder of the scenario runs of a sandbox.
func (f Folders) Journal(name string) string { return filepath.Join(f.of(name), "runs") }

// Run is the file with the scenario that runs in a sandbox, or the last one that did.
func (f Folders) Run(name string) string { return filepath.Join(f.of(name), "run.json") }

// Reports is the folder of the reports of a sandbox's scenario runs. `down` leaves it.
func (f Folders) Reports(name string) string { return filepath.Join(f.State, name, "reports") }

// Contracts is the folder of the notes about contract runs of a sandbox that are under way.
func (f Folders) Contracts(name string) string { return filepath.Join(f.of(name), "contracts") }

// Images is the folder of the image cache.
func (f Folders) Images() string { return filepath.Join(f.Cache, "images") }

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// CheckName refuses names that an engine or Kubernetes would refuse later.
func CheckName(name string) error {
	if validName.MatchString(name) {
		return nil
	}
	return remedy.Errorf(remedy.Flag("name", DefaultName), "--name %q: want a lower-case letter, then at most 39 of a-z, 0-9 and -", name)
}

const modulePath = "module github.com/grpc-sandbox/sandbox\n"

// FindSourceTree returns the checkout of this project that folder lies in; empty when it lies in none.
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
