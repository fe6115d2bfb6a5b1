// Command control is the control plane: the operator of TrafficPolicy and Fault, their distribution over ADS, and the event hub.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"k8s.io/client-go/rest"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control"
	"github.com/grpc-sandbox/sandbox/services/control/operator"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	if err := serve(ctx, stderr, getenv); err != nil {
		fmt.Fprintln(stderr, "control:", remedy.Line(err, nil))
		return 1
	}
	return 0
}

// replicas finds the other replicas behind PEERS, a headless service, of which POD_IP is this one.
func replicas(p *governance.Process, getenv func(string) string) control.Replicas {
	host, port, err := net.SplitHostPort(getenv("PEERS"))
	if err != nil {
		return control.Replicas{Find: func(context.Context) ([]string, error) { return nil, nil }}
	}
	return control.Replicas{Find: control.Lookup(host, port, getenv("POD_IP")), Dial: func(address string) (*grpc.ClientConn, error) {
		transport := insecure.NewCredentials()
		if p.Identity != nil {
			transport = credentials.NewTLS(p.Identity.ClientTLS(host))
		}
		return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(transport),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}))
	}}
}

func serve(ctx context.Context, stderr io.Writer, getenv func(string) string) error {
	cfg, err := governance.ConfigFromEnv("control", getenv)
	if err != nil {
		return err
	}
	namespace := getenv("POD_NAMESPACE")
	if namespace == "" {
		return remedy.New("POD_NAMESPACE is not set", remedy.Value("sandbox-system"))
	}
	api, err := rest.InClusterConfig()
	if err != nil {
		return remedy.Wrap(fmt.Errorf("connecting to the API server: %w", err), remedy.Advice("run this program in a pod that has the token of its service account"))
	}
	return governance.Run(ctx, stderr, cfg, func(p *governance.Process, s *grpc.Server) error {
		plane := control.Register(ctx, p, s, control.Config{})
		ready := p.ReadyAfter()
		p.Go(func(ctx context.Context) error { return plane.Follow(ctx, replicas(p, getenv)) })
		p.Go(func(ctx context.Context) error {
			return operator.Run(ctx, operator.Config{API: api, Namespace: namespace, Plane: plane, Ready: ready, Log: p.Log})
		})
		return nil
	})
}
