package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// The ports of what the command line talks to.
const (
	grpcPort       = 8443
	prometheusPort = 9090
	jaegerPort     = 16686
)

// cliAccount is whom services take this machine for. The certificate of an account is in the Secret <account>-tls.
const cliAccount = "cli"

// identityLimit is the deadline for reading a certificate from the cluster.
const identityLimit = 15 * time.Second

// session is a connection to a sandbox that is up. It opens what it needs when it is first used.
type session struct {
	name       string
	folders    sandbox.Folders
	cluster    cluster.Cluster
	client     *kube.Client
	workloads  kube.Workloads
	prometheus *observe.Prometheus
	jaeger     *observe.Jaeger
	links      []*link
	conns      []*grpc.ClientConn
}

// openSession connects to a sandbox; an error when it is not up.
func openSession(ctx context.Context, w world, g *globals) (*session, error) {
	folders, err := w.folders()
	if err != nil {
		return nil, err
	}
	c, err := sandbox.Open(ctx, folders, g.name)
	if err != nil {
		return nil, err
	}
	client, err := kube.Connect(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	s := &session{name: g.name, folders: folders, cluster: c, client: client}
	s.workloads = kube.Workloads{Client: client, Namespace: charts.ShopNamespace}
	if s.prometheus, err = observe.NewPrometheus("http://prometheus", s.link(charts.SystemNamespace, "prometheus", prometheusPort).httpClient()); err != nil {
		return nil, err
	}
	s.jaeger = observe.NewJaeger("http://jaeger", s.link(charts.SystemNamespace, "jaeger", jaegerPort).httpClient())
	return s, nil
}

func (s *session) close() {
	for _, c := range s.conns {
		_ = c.Close()
	}
	for _, l := range s.links {
		l.close()
	}
}

func (s *session) link(namespace, release string, port int) *link {
	l := newLink(s.client, namespace, release, port)
	s.links = append(s.links, l)
	return l
}

// dial connects to a service over mutual TLS, through a port-forward.
func (s *session) dial(ctx context.Context, release string) (*grpc.ClientConn, error) {
	return s.dialThrough(ctx, cliAccount, release, s.link(charts.ShopNamespace, release, grpcPort).dial)
}

// reachAs is dial with the certificate of an account. It fails at once when no pod of the release is ready.
func (s *session) reachAs(ctx context.Context, account, release string) (*grpc.ClientConn, error) {
	l := s.link(charts.ShopNamespace, release, grpcPort)
	if _, err := l.reach(ctx); err != nil {
		return nil, err
	}
	return s.dialThrough(ctx, account, release, l.dial)
}

func (s *session) dialThrough(ctx context.Context, account, release string, dial func(context.Context) (net.Conn, error)) (*grpc.ClientConn, error) {
	asking, cancel := context.WithTimeout(ctx, identityLimit)
	defer cancel()
	identity, err := s.client.Credentials(asking, charts.ShopNamespace, account+"-tls", release+"."+charts.ShopNamespace+".svc")
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+release, grpc.WithTransportCredentials(identity), grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", release, err)
	}
	s.conns = append(s.conns, conn)
	return conn, nil
}

// target is the world as a scenario may change it.
func (s *session) target(ctx context.Context) (scenarios.Target, error) {
	conn, err := s.dial(ctx, "loadgen")
	if err != nil {
		return scenarios.Target{}, err
	}
	rpc := loadgenv1.NewLoadGeneratorClient(conn)
	return scenarios.Target{Loads: loads{rpc}, Workloads: s.workloads, Breakers: breakers{rpc}}, nil
}

// firstCall proves that a call through mutual TLS succeeds.
func firstCall(ctx context.Context, client *kube.Client) error {
	s := &session{client: client}
	defer s.close()
	conn, err := s.dial(ctx, "userservice")
	if err != nil {
		return fmt.Errorf("making the first call: %w", err)
	}
	return firstAnswer(ctx, conn, time.Minute)
}

// firstAnswer gives pods that are ready some time: their certificates may be newer than this machine's clock. Where none answers, gRPC tells why.
func firstAnswer(ctx context.Context, conn grpc.ClientConnInterface, limit time.Duration) error {
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	if err := firstUser(ctx, conn); err != nil {
		return remedy.Errorf(remedy.Command("logs", "userservice"), "making the first call: %w", err)
	}
	return nil
}

// firstUser asks for a user who has been there from the beginning.
func firstUser(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := userv1.NewUserServiceClient(conn).GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"}, grpc.WaitForReady(true))
	return err
}

// checkLoad is the load by which `up` finds out whether the load generator's calls are answered.
const checkLoad = "up-check"

// loadCall waits until a call that the load generator sent to userservice was answered.
func loadCall(ctx context.Context, client *kube.Client) error {
	s := &session{client: client}
	defer s.close()
	conn, err := s.dial(ctx, "loadgen")
	if err != nil {
		return fmt.Errorf("asking the load generator for a call: %w", err)
	}
	ctx, done := context.WithTimeout(ctx, loadCallLimit)
	defer done()
	return answeredLoad(ctx, loadgenv1.NewLoadGeneratorClient(conn))
}

const loadCallLimit = time.Minute

// answeredLoad runs a small load until one of its calls was answered.
func answeredLoad(ctx context.Context, rpc loadgenv1.LoadGeneratorClient) error {
	start := &loadgenv1.StartLoadRequest{
		Name: checkLoad, Target: "userservice", Method: "user.v1.UserService/GetUser", RequestJson: `{"userId":"u-1"}`, Rate: 50,
	}
	_, err := rpc.StartLoad(ctx, start, grpc.WaitForReady(true))
	if status.Code(err) == codes.AlreadyExists { // a killed `up` left it
		if _, err = rpc.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: checkLoad}); err == nil {
			_, err = rpc.StartLoad(ctx, start)
		}
	}
	if err != nil {
		return fmt.Errorf("starting a load: %w", err)
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = rpc.StopLoad(clean, &loadgenv1.StopLoadRequest{Name: checkLoad}) // a load that stays is stopped by the next `up`
	}()
	var last *loadgenv1.LoadStats
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		stats, err := rpc.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: checkLoad})
		if err == nil {
			last = stats
		}
		return stats.GetOk() > 0, nil
	})
	if err != nil {
		return remedy.Wrap(fmt.Errorf("waiting for a call of the load generator to be answered: %w (sent %d, errors %v)", err, last.GetSent(), last.GetErrors()),
			remedy.Command("status"), remedy.Command("logs", "loadgen"))
	}
	return nil
}
