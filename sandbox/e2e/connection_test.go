//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
)

func connect(t testing.TB) *kube.Client {
	t.Helper()
	c, err := kube.Connect(shared.GetKubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// forward opens a port-forward to a release until the test ends and returns its address.
func forward(ctx context.Context, t testing.TB, c *kube.Client, namespace, release string, port int) string {
	t.Helper()
	f, err := c.Forward(ctx, namespace, release, port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f.Address
}

// identity returns the TLS configuration with which the command line calls a release.
func identity(ctx context.Context, t testing.TB, c *kube.Client, release string) *tls.Config {
	t.Helper()
	config, err := c.Identity(ctx, charts.ShopNamespace, "cli-tls")
	if err != nil {
		t.Fatal(err)
	}
	config.ServerName = release + "." + charts.ShopNamespace + ".svc"
	return config
}

func dial(t testing.TB, address string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// dialService connects to a service over mutual TLS, with the roots that are trusted now.
func dialService(ctx context.Context, t testing.TB, c *kube.Client, release string) *grpc.ClientConn {
	t.Helper()
	address := forward(ctx, t, c, charts.ShopNamespace, release, 8443)
	creds, err := c.Credentials(ctx, charts.ShopNamespace, "cli-tls", release+"."+charts.ShopNamespace+".svc")
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, address, creds)
}

func prometheus(ctx context.Context, t testing.TB, c *kube.Client) *observe.Prometheus {
	t.Helper()
	p, err := observe.NewPrometheus(charts.MetricsStore, "http://"+forward(ctx, t, c, charts.SystemNamespace, charts.MetricsStore, 9090), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
