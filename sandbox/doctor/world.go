package doctor

import (
	"context"
	"io/fs"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// World is all that checks may look at. HostWorld fills in what the machine can tell; the rest is set by who knows it.
type World struct {
	ReadFile func(path string) ([]byte, error)
	Stat     func(path string) (fs.FileInfo, error)
	LookPath func(program string) (string, error)
	Getenv   func(name string) string
	Getuid   func() int
	DiskFree func(path string) (bytes uint64, err error) // of the nearest directory that exists
	Nofile   func() (hard uint64, err error)             // open files per process
	Exec     func(ctx context.Context, program string, args ...string) (stdout string, err error)
	Reach    func(ctx context.Context, url string) error // nil for any HTTP answer, through the proxy of the environment
	Listen   func(address string) error                  // binds it and lets go
	Writable func(dir string) error                      // makes dir and a file in it, and removes the file
	Now      func() time.Time

	Engine        string                                    // docker, podman or nerdctl; empty where none was found
	EngineProbe   func(ctx context.Context) error           // runs a privileged container; nil skips the check
	SetsUp        bool                                      // whether the command can install an engine here
	EngineStorage func(ctx context.Context) (string, error) // where the engine, maybe on another machine, keeps images; nil skips the check
	CacheDir      string                                    // of images; empty skips its checks
	CacheIntact   func(ctx context.Context) error           // compares the cached images with their digests; nil skips the check
	Kubeconfig    string                                    // the sandbox's own file; empty skips the check
	Registries    []string                                  // URLs of those that images are pulled from
	// Lacking are the images that are not in the cache, where they could be built; nil where none can.
	Lacking func(ctx context.Context) ([]Lacking, error)
	// LeftBehind lists what killed runs changed and what has not been put back; nil skips the check.
	LeftBehind func() ([]string, error)

	Damage  error    // of the sandbox's own files, which keeps Cluster from being set; nil where there is none
	Cluster *Cluster // nil where there is none
}

// kubectl returns the start of a command line of kubectl for the sandbox's cluster, because the user's current context may name another cluster.
func (w World) kubectl() string { return "KUBECONFIG=" + remedy.Quote(w.Kubeconfig) + " kubectl" }

// Cluster is what the sandbox's cluster can be asked. A check whose function is nil is skipped.
type Cluster struct {
	Nodes        func(ctx context.Context) ([]Node, error)
	Releases     func(ctx context.Context) ([]Release, error)
	Pods         func(ctx context.Context, namespace string) ([]telemetry.Pod, error) // of all namespaces if it is empty; Release is one with logs, or empty
	Certificates func(ctx context.Context) ([]Certificate, error)
	Trust        func(ctx context.Context) (Trust, error)
	Targets      func(ctx context.Context) (up, total int, down []string, err error)
	Services     func(ctx context.Context) ([]string, error)                      // that have sent spans
	Called       func(ctx context.Context) ([]string, error)                      // services, of late
	Traces       func(ctx context.Context, service string) (count int, err error) // of late
	CallRate     func(ctx context.Context) (perSecond float64, err error)         // of loadgen's calls
	Breakers     func(ctx context.Context) ([]telemetry.Breaker, error)
}

// Lacking is an image that has to be pulled or built.
type Lacking struct {
	Ref      string
	Registry string   // the URL of the one it can be pulled from; empty where it can only be built
	Needs    []string // the programs that building it takes
}

// Node is a node of the cluster.
type Node struct {
	Name  string
	Ready bool
	Why   string // it is not ready
}

// Release is a Helm release, and what became of it.
type Release struct {
	Name, Namespace string
	Deployed        bool
	Why             string // it is not deployed
}

// Certificate is a cert-manager certificate.
type Certificate struct {
	Namespace, Name     string
	NotBefore, NotAfter time.Time // zero when not issued
	Why                 string    // one who trusts the mounted roots would not accept it; empty when it would
}

// Trust is the state of the root that everything trusts.
type Trust struct {
	Unfinished string    // the stage in which a replacement of the root was interrupted; empty where none was
	Stale      []string  // namespaces whose bundle holds other roots than it should
	NotAfter   time.Time // of the root that signs
}
