// Package live is a connection to one sandbox that is up: everything that reads or changes a running cluster goes through a [Cluster].
//
//	                         ┌── Dial, DialAs ──▶ gRPC services, over mutual TLS
//	sandbox.Open ──▶ Cluster ┼── Target ────────▶ what a scenario changes: pods, loads, breakers
//	(state on disk)          ├── Feed ──────────▶ what the screen shows, one source at a time
//	                         ├── Doctor ────────▶ what the doctor examines
//	                         └── Releases ──────▶ what is installed, ready and changed by hand
//
// A Cluster opens port-forwards when they are first used and opens them again when their pod is gone, so it survives the faults that scenarios
// inject. Close ends all of them. Several clusters can be open in one process.
//
// This package joins the packages that know nothing of each other: it implements the interfaces of scenarios, tui and doctor, and it is the only
// one that talks to the load generator. Nothing in package sandbox imports it.
package live

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"k8s.io/client-go/discovery"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// grpcPort is the port of every service.
const grpcPort = 8443

// Account is the identity that the command line has for the services. The certificate of an account is in the Secret ACCOUNT-tls.
const Account = "cli"

// identityLimit is the deadline for reading a certificate from the cluster.
const identityLimit = 15 * time.Second

// Cluster is a connection to a sandbox that is up. Its methods may be called at the same time, except Close.
type Cluster struct {
	// Name is the name of the sandbox, Folders are where its files are.
	Name    string
	Folders sandbox.Folders
	// Node is the kind cluster in the container engine.
	Node cluster.Cluster
	// Kube is a client of the cluster, with the sandbox's own kubeconfig.
	Kube *kube.Client
	// Workloads are the workloads of the shop.
	Workloads kube.Workloads
	// Prometheus and Jaeger are reached through port-forwards, which are opened by the first query.
	Prometheus *observe.Prometheus
	Jaeger     *observe.Jaeger

	renewals renewals
	// control opens the connection to the control plane, once.
	control func(ctx context.Context) (*grpc.ClientConn, error)

	// mu guards the fields below.
	mu       sync.Mutex
	forwards []*portForward
	conns    []*grpc.ClientConn
}

// Open connects to a sandbox. It returns a *sandbox.NotUpError when the sandbox is not up.
func Open(ctx context.Context, folders sandbox.Folders, name string) (*Cluster, error) {
	node, err := sandbox.Open(ctx, folders, name)
	if err != nil {
		return nil, err
	}
	client, err := kube.Connect(node.Kubeconfig)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Name: name, Folders: folders, Node: node, Kube: client}
	c.Workloads = kube.Workloads{Client: client, Namespace: charts.ShopNamespace}
	if c.Prometheus, err = observe.NewPrometheus(charts.MetricsStore, "http://"+charts.MetricsStore, c.page(charts.MetricsStore)); err != nil {
		return nil, err
	}
	c.control = once(func(ctx context.Context) (*grpc.ClientConn, error) {
		return c.dialThrough(ctx, Account, charts.SystemNamespace, charts.Control, c.forward(charts.SystemNamespace, charts.Control, grpcPort).dial)
	})
	c.renewals.dial = c.control
	c.Jaeger = observe.NewJaeger(charts.TraceStore, "http://"+charts.TraceStore, c.page(charts.TraceStore))
	return c, nil
}

// page returns a client of the page of a release, whatever the host in its URLs.
func (c *Cluster) page(name string) *http.Client {
	all := sandbox.Releases()
	r := all[slices.IndexFunc(all, func(r charts.Release) bool { return r.Name == name })]
	return c.forward(r.Namespace, r.Name, r.Page).httpClient()
}

// Engine returns the name of the container engine.
func (c *Cluster) Engine() string { return c.Node.Engine.Name }

// Memory returns how much memory the node uses.
func (c *Cluster) Memory(ctx context.Context) (cluster.Memory, error) { return c.Node.Memory(ctx) }

// Version returns the version of Kubernetes.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	version, err := discovery.ToDiscoveryInterfaceWithContext(c.Kube.Kube.Discovery()).ServerVersionWithContext(ctx)
	if err != nil {
		return "", remedy.Wrap(fmt.Errorf("reading the version of the cluster: %w", err), remedy.Command("up"))
	}
	return version.GitVersion, nil
}

// Close ends every connection and port-forward of the cluster.
func (c *Cluster) Close() {
	c.renewals.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	for _, f := range c.forwards {
		f.close()
	}
}

func (c *Cluster) forward(namespace, release string, port int) *portForward {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := newPortForward(c.Kube, namespace, release, port)
	c.forwards = append(c.forwards, f)
	return f
}

// Dial connects to a service over mutual TLS. The connection is made when the first call needs it, and again whenever its pod is gone.
func (c *Cluster) Dial(ctx context.Context, release string) (*grpc.ClientConn, error) {
	return c.dialThrough(ctx, Account, charts.ShopNamespace, release, c.forward(charts.ShopNamespace, release, grpcPort).dial)
}

// DialAs is Dial with the certificate of another account, such as a service. It returns an error when no pod of the release is ready.
func (c *Cluster) DialAs(ctx context.Context, account, release string) (*grpc.ClientConn, error) {
	f := c.forward(charts.ShopNamespace, release, grpcPort)
	if _, err := f.reach(ctx); err != nil {
		return nil, err
	}
	return c.dialThrough(ctx, account, charts.ShopNamespace, release, f.dial)
}

func (c *Cluster) dialThrough(ctx context.Context, account, namespace, release string, dial func(context.Context) (net.Conn, error)) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, identityLimit)
	defer cancel()
	identity, err := c.Kube.Credentials(ctx, charts.ShopNamespace, account+"-tls", release+"."+namespace+".svc")
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+release, grpc.WithTransportCredentials(identity), grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", release, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, nil
}

// Control returns the connection to the control plane, which is made when the first call needs it.
func (c *Cluster) Control(ctx context.Context) (*grpc.ClientConn, error) { return c.control(ctx) }

func (c *Cluster) events(ctx context.Context) (telemetryv1.EventsClient, error) {
	conn, err := c.control(ctx)
	if err != nil {
		return nil, err
	}
	return telemetryv1.NewEventsClient(conn), nil
}

func (c *Cluster) objects() objects {
	return objects{kube: c.Kube, keep: c.renewals.keep, drop: c.renewals.drop}
}

// once returns a function that calls open until it succeeds, and then returns the same connection.
func once(open func(ctx context.Context) (*grpc.ClientConn, error)) func(ctx context.Context) (*grpc.ClientConn, error) {
	var mu sync.Mutex
	var conn *grpc.ClientConn
	return func(ctx context.Context) (*grpc.ClientConn, error) {
		mu.Lock()
		defer mu.Unlock()
		if conn != nil {
			return conn, nil
		}
		made, err := open(ctx)
		if err == nil {
			conn = made
		}
		return made, err
	}
}

// Target is the part of the cluster that a scenario may change.
func (c *Cluster) Target(ctx context.Context) (scenarios.Target, error) {
	conn, err := c.Dial(ctx, charts.LoadGenerator)
	if err != nil {
		return scenarios.Target{}, err
	}
	rpc := loadgenv1.NewLoadGeneratorClient(conn)
	sent := partnerLoads{loads{rpc}, c.runPartner}
	return scenarios.Target{Loads: sent, Workloads: c.workloads(), Breakers: newBreakers(c.events), Objects: c.objects(), Partners: runPartners{c, sent},
		Certificates: certificates{c.Kube}, Metrics: c.Prometheus}, nil
}
