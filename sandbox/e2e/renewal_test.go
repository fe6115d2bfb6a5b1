//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// reloadLimit is long: a renewed Secret reaches the files of a pod when the kubelet next syncs it.
const reloadLimit = 3 * time.Minute

func TestRenewalDropsNoCall(t *testing.T) {
	feature(t, "renewal under load", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c, "loadgen"))
		underLoad(ctx, t, loads, "renewal", 100, func() {
			for _, service := range []string{"userservice", "loadgen"} {
				renew(ctx, t, c, service)
			}
		})
	})
}

// renew has the certificate of a service issued anew and waits until every pod of it serves the new one.
func renew(ctx context.Context, t *testing.T, c *kube.Client, service string) {
	t.Helper()
	pods, err := kube.Workloads{Client: c, Namespace: charts.ShopNamespace}.Pods(ctx, service)
	if err != nil || len(pods) == 0 {
		t.Fatalf("pods of %s: %v, %v", service, pods, err)
	}
	old := map[string]string{}
	for _, p := range pods {
		if old[p.Name], err = servedSerial(ctx, t, c, service, p.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Renew(ctx, charts.ShopNamespace, service); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		err := wait.PollUntilContextTimeout(ctx, time.Second, reloadLimit, true, func(ctx context.Context) (bool, error) {
			now, err := servedSerial(ctx, t, c, service, p.Name)
			return now != old[p.Name], err
		})
		if err != nil {
			t.Errorf("%s does not serve its renewed certificate: %v", p.Name, err)
		}
	}
}

// servedSerial is the serial number of the certificate that a new connection to a pod meets.
func servedSerial(ctx context.Context, t *testing.T, c *kube.Client, service, pod string) (string, error) {
	f, err := c.ForwardPod(ctx, charts.ShopNamespace, pod, 8443)
	if err != nil {
		return "", err
	}
	defer f.Close()
	config := identity(ctx, t, c, service)
	config.NextProtos = []string{"h2"}
	d := tls.Dialer{Config: config}
	conn, err := d.DialContext(ctx, "tcp", f.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}
