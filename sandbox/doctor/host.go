package doctor

import (
	"context"
	"io/fs"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Host is everything that checks may look at. ThisHost sets the fields that describe the machine, and the caller sets the others.
type Host struct {
	ReadFile func(path string) ([]byte, error)
	Stat     func(path string) (fs.FileInfo, error)
	LookPath func(program string) (string, error)
	Getenv   func(name string) string
	Getuid   func() int
	DiskFree func(path string) (bytes uint64, err error) // of the nearest directory that exists
	Nofile   func() (hard uint64, err error)             // open files per process
	Exec     func(ctx context.Context, program string, args ...string) (stdout string, err error)
	Reach    func(ctx context.Context, url string) error // nil for any HTTP response, through the proxy of the environment
	Listen   func(address string) error                  // binds it and closes it
	Writable func(dir string) error                      // creates dir and a file in it, and removes the file
	Now      func() time.Time

	Engine      string                          // docker, podman or nerdctl; empty if none was found
	EngineProbe func(ctx context.Context) error // runs a privileged container; nil skips the check
	SetsUp      bool                            // whether `up --setup` can install an engine on this machine
	// EngineStorage returns the folder in which the engine, maybe on another machine, keeps images. If nil, the check is skipped.
	EngineStorage func(ctx context.Context) (string, error)
	CacheDir      string                          // of images; empty skips its checks
	CacheIntact   func(ctx context.Context) error // compares the cached images with their digests; nil skips the check
	Kubeconfig    string                          // the sandbox's own file; empty skips the check
	Registries    []string                        // URLs of the registries that images are pulled from
	// Lacking lists the images that are not in the cache and can be built here. It is nil if no image can be built.
	Lacking func(ctx context.Context) ([]Lacking, error)
	// LeftBehind lists the changes of killed runs that have not been undone. If nil, the check is skipped.
	LeftBehind func() ([]string, error)

	// Damage is an error about the sandbox's own files, because of which Cluster is nil.
	Damage error
	// Cluster is nil if there is none.
	Cluster *Cluster
}

// kubectl returns the start of a command line of kubectl for the sandbox's cluster, because the user's current context may name another cluster.
func (w Host) kubectl() string { return "KUBECONFIG=" + remedy.Quote(w.Kubeconfig) + " kubectl" }

// Cluster contains the queries to the sandbox's cluster. A check whose function is nil is skipped.
type Cluster struct {
	Nodes    func(ctx context.Context) ([]Node, error)
	Releases func(ctx context.Context) ([]Release, error)
	// Pods lists the pods of a namespace, or of all if it is empty. Release is empty for a pod whose release has no logs.
	Pods         func(ctx context.Context, namespace string) ([]telemetry.Pod, error)
	Certificates func(ctx context.Context) ([]Certificate, error)
	Trust        func(ctx context.Context) (Trust, error)
	Targets      func(ctx context.Context) (up, total int, down []string, err error)
	Services     func(ctx context.Context) ([]string, error)                      // that have sent spans
	Called       func(ctx context.Context) ([]string, error)                      // services that were called recently
	Traces       func(ctx context.Context, service string) (count int, err error) // that arrived recently
	CallRate     func(ctx context.Context) (perSecond float64, err error)         // of loadgen's calls
	Breakers     func(ctx context.Context) ([]telemetry.Breaker, error)
}

// Lacking is an image that has to be pulled or built.
type Lacking struct {
	Ref      string
	Registry string   // the URL of the registry it can be pulled from; empty if it can only be built
	Needs    []string // the programs that building it needs
}

// Node is a node of the cluster.
type Node struct {
	Name  string
	Ready bool
	Why   string // why it is not ready
}

// Release is a Helm release and its state.
type Release struct {
	Name, Namespace string
	Deployed        bool
	Why             string // why it is not deployed
}

// Certificate is a cert-manager certificate.
type Certificate struct {
	Namespace, Name     string
	NotBefore, NotAfter time.Time // zero when not issued
	Why                 string    // why a peer that trusts the mounted roots would refuse it; empty if it would not
}

// Trust is the state of the root that every process trusts.
type Trust struct {
	Unfinished string    // the stage in which a rotation of the root was interrupted; empty if none was
	Stale      []string  // namespaces whose bundle differs from what it should be
	NotAfter   time.Time // of the root that signs
}
