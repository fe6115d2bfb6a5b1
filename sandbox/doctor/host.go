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
	// ReadFile, Stat, LookPath, Getenv and Getuid work like the functions of packages os and exec.
	ReadFile func(path string) ([]byte, error)
	Stat     func(path string) (fs.FileInfo, error)
	LookPath func(program string) (string, error)
	Getenv   func(name string) string
	Getuid   func() int
	// DiskFree returns the free space at the nearest directory that exists.
	DiskFree func(path string) (bytes uint64, err error)
	// Nofile returns the limit of open files per process.
	Nofile func() (hard uint64, err error)
	// Exec runs a program and returns its standard output.
	Exec func(ctx context.Context, program string, args ...string) (stdout string, err error)
	// Reach returns nil for any HTTP response. It uses the proxy of the environment.
	Reach func(ctx context.Context, url string) error
	// Listen binds the address and closes it again.
	Listen func(address string) error
	// Writable creates dir and a file in it, and removes the file.
	Writable func(dir string) error
	// Now returns the time.
	Now func() time.Time

	// Engine is docker, podman or nerdctl. It is empty if none was found.
	Engine string
	// EngineProbe runs a privileged container. If nil, the check is skipped.
	EngineProbe func(ctx context.Context) error
	// SetsUp says whether `up --setup` can install an engine on this machine.
	SetsUp bool
	// EngineStorage returns the folder in which the engine, maybe on another machine, keeps images. If nil, the check is skipped.
	EngineStorage func(ctx context.Context) (string, error)
	// CacheDir is the folder of the cached images. If empty, its checks are skipped.
	CacheDir string
	// CacheIntact compares the cached images with their digests. If nil, the check is skipped.
	CacheIntact func(ctx context.Context) error
	// Kubeconfig is the sandbox's own file. If empty, the check is skipped.
	Kubeconfig string
	// Registries are the URLs of the registries that images are pulled from.
	Registries []string
	// Lacking lists the images that are not in the cache and can be built here. It is nil if no image can be built.
	Lacking func(ctx context.Context) ([]Lacking, error)
	// LeftBehind lists the changes of killed runs that have not been undone. If nil, the check is skipped.
	LeftBehind func() ([]string, error)

	// Damage is the error in the sandbox's own files because of which Cluster is nil.
	Damage error
	// Cluster is nil if there is none.
	Cluster *Cluster
}

// kubectl returns the start of a command line of kubectl for the sandbox's cluster, because the user's current context may name another cluster.
func (w Host) kubectl() string { return "KUBECONFIG=" + remedy.Quote(w.Kubeconfig) + " kubectl" }

// Cluster contains the queries to the sandbox's cluster. A check whose function is nil is skipped.
type Cluster struct {
	// Parts name the releases that the checks are about.
	Parts Parts
	// Nodes lists the nodes of the cluster, and Releases every release of the catalog.
	Nodes    func(ctx context.Context) ([]Node, error)
	Releases func(ctx context.Context) ([]Release, error)
	// Pods lists the pods of a namespace, or of all if it is empty. Release is empty for a pod whose release has no logs.
	Pods func(ctx context.Context, namespace string) ([]telemetry.Pod, error)
	// Certificates lists the certificates of all namespaces, and Trust returns the state of the root.
	Certificates func(ctx context.Context) ([]Certificate, error)
	Trust        func(ctx context.Context) (Trust, error)
	// Targets counts the scrape targets of Prometheus, and describes those that are down with the error of their last scrape.
	Targets func(ctx context.Context) (up, total int, down []string, err error)
	// Services returns the services that have sent spans.
	Services func(ctx context.Context) ([]string, error)
	// Called returns the services that were called recently.
	Called func(ctx context.Context) ([]string, error)
	// Traces returns how many traces of a service arrived recently.
	Traces func(ctx context.Context, service string) (count int, err error)
	// CallRate returns the rate of the calls of Parts.Generator.
	CallRate func(ctx context.Context) (perSecond float64, err error)
	// Breakers returns the present states of the circuit breakers.
	Breakers func(ctx context.Context) ([]telemetry.Breaker, error)
}

// Parts are the names of releases by their part in the sandbox.
type Parts struct {
	// Generator makes calls all the time.
	Generator string
	// Metrics is the Prometheus, and Traces the Jaeger, that services report to.
	Metrics, Traces string
}

// Lacking is an image that has to be pulled or built.
type Lacking struct {
	// Ref is the name of the image in manifests.
	Ref string
	// Registry is the URL of the registry that the image can be pulled from. It is empty if the image can only be built.
	Registry string
	// Needs are the programs that building the image needs.
	Needs []string
}

// Node is a node of the cluster.
type Node struct {
	Name  string
	Ready bool
	// Why is the reason if the node is not ready.
	Why string
}

// Release is a Helm release and its state.
type Release struct {
	Name, Namespace string
	// Deployed means that Helm has installed it completely.
	Deployed bool
	// Why is the reason if the release is not deployed.
	Why string
}

// Certificate is a cert-manager certificate.
type Certificate struct {
	Namespace, Name string
	// NotBefore and NotAfter are zero if the certificate was not issued.
	NotBefore, NotAfter time.Time
	// Why is the reason if a peer that trusts the mounted roots would refuse the certificate. It is empty if the peer would accept it.
	Why string
	// Logs is the release whose logs say why the certificate is not issued.
	Logs string
}

// Trust is the state of the root that every process trusts.
type Trust struct {
	// Unfinished is the stage in which a rotation of the root was interrupted. It is empty if none was.
	Unfinished string
	// Stale lists the namespaces whose bundle is out of date.
	Stale []string
	// NotAfter is the end of the validity of the root that signs.
	NotAfter time.Time
}
