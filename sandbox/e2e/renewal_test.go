//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// reloadLimit is long enough for a busy kubelet.
const reloadLimit = 3 * time.Minute

// TestCertificates_ReplacedWithoutFailedCalls renews the intermediate and everything below it with new keys, and then replaces the root twice, once
// with the command killed in two of its stages. Connections last half a minute, so each set of certificates is used in many handshakes.
func TestCertificates_ReplacedWithoutFailedCalls(t *testing.T) {
	feature(t, "at 200 calls/s", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c, "loadgen"))
		underLoad(ctx, t, loads, "certificates", 200, func() {
			first := listCertificates(ctx, t)
			if err := shared.must(ctx, "certs", "renew", "--all"); err != nil {
				t.Error(err)
			}
			second := listCertificates(ctx, t)
			wantReplaced(t, first, second)
			if first.Roots[0] != second.Roots[0] {
				t.Errorf("a renewed intermediate changed the root: %+v, %+v", first.Roots, second.Roots)
			}
			last := second
			for _, rotate := range []func(context.Context, *testing.T){rotateKilled, rotateAtOnce} {
				started := time.Now()
				rotate(ctx, t)
				t.Logf("the root was replaced in %s", time.Since(started).Round(time.Second))
				now := listCertificates(ctx, t)
				wantReplaced(t, last, now)
				if now.Rotation != "steady" || len(now.Roots) != 1 || now.Roots[0] == last.Roots[0] {
					t.Errorf("the roots are %+v in stage %s, and were %+v", now.Roots, now.Rotation, last.Roots)
				}
				last = now
			}
			for _, service := range []string{"userservice", "loadgen", "orderservice"} {
				wantPresented(ctx, t, c, service)
			}
			wantDatabase(ctx, t, c)
		})
		if !ready(ctx, t) {
			t.Error("status reports that the sandbox is not ready")
		}
	})
}

// certificateList is what `certs list -o json` prints.
type certificateList struct {
	Rotation string
	Roots    []struct{ Role, Fingerprint string }

	Certificates []struct {
		Namespace, Name, Fingerprint, Why string
		Accepted                          bool
	}
}

func listCertificates(ctx context.Context, t *testing.T) certificateList {
	t.Helper()
	out, code, err := shared.run(ctx, "certs", "list", "-o", "json")
	var l certificateList
	if err != nil || code != 0 || json.Unmarshal([]byte(out), &l) != nil || len(l.Certificates) == 0 || len(l.Roots) == 0 {
		t.Fatalf("certs list ended with %d, %v: %s", code, err, out)
	}
	return l
}

// wantReplaced checks that every certificate was replaced and would be accepted.
func wantReplaced(t *testing.T, before, after certificateList) {
	t.Helper()
	for i, c := range after.Certificates {
		if !c.Accepted {
			t.Errorf("%s/%s: %s", c.Namespace, c.Name, c.Why)
		}
		if i >= len(before.Certificates) || c.Fingerprint == before.Certificates[i].Fingerprint {
			t.Errorf("%s/%s was not issued again", c.Namespace, c.Name)
		}
	}
}

func rotateAtOnce(ctx context.Context, t *testing.T) {
	if err := shared.must(ctx, "certs", "rotate-root"); err != nil {
		t.Error(err)
	}
}

// rotateKilled kills the command in its first stage, kills it again in its second stage, and lets the third attempt finish.
func rotateKilled(ctx context.Context, t *testing.T) {
	for _, line := range []string{"… trust the new root: waiting", "… issue under the new root: waiting"} {
		if !killedAt(ctx, t, line) {
			t.Errorf("the command ended before it printed %q", line)
		}
	}
	rotateAtOnce(ctx, t)
}

// killedAt starts a rotation and kills it when it prints a line.
func killedAt(ctx context.Context, t *testing.T, line string) bool {
	t.Helper()
	cmd := shared.command(ctx, "certs", "rotate-root")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(said); lines.Scan() && !found; {
		t.Log(lines.Text())
		found = strings.Contains(lines.Text(), line)
	}
	if found {
		_ = cmd.Process.Kill()
	}
	_, _ = io.Copy(io.Discard, said)
	// The error is that it was killed.
	_ = cmd.Wait()
	return found
}

// wantPresented checks that every pod of a service presents the certificate in its Secret, with the intermediate that issued it.
func wantPresented(ctx context.Context, t *testing.T, c *kube.Client, service string) {
	t.Helper()
	issued, err := c.KeyPair(ctx, charts.ShopNamespace, service+"-tls")
	if err != nil {
		t.Fatal(err)
	}
	pods, err := kube.Workloads{Client: c, Namespace: charts.ShopNamespace}.Pods(ctx, service)
	if err != nil || len(pods) == 0 {
		t.Fatalf("pods of %s: %v, %v", service, pods, err)
	}
	for _, p := range pods {
		chain, err := presented(ctx, t, c, service, p.Name)
		if err != nil {
			t.Fatal(err)
		}
		same := slices.EqualFunc(chain, issued.Certificate, func(have *x509.Certificate, want []byte) bool { return slices.Equal(have.Raw, want) })
		if !same || len(chain) != 2 {
			t.Errorf("%s presents %d certificates that are not the %d of its Secret", p.Name, len(chain), len(issued.Certificate))
		}
	}
}

// presented returns the chain that a pod presents to a new connection, verified in the same way as by the command line.
func presented(ctx context.Context, t *testing.T, c *kube.Client, service, pod string) ([]*x509.Certificate, error) {
	conn, err := c.DialPod(ctx, charts.ShopNamespace, pod, 8443)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	config := identity(ctx, t, c, service)
	config.NextProtos = []string{"h2"}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates, nil
}

// wantDatabase checks that PostgreSQL presents its new certificate and accepts the new certificate of a service.
func wantDatabase(ctx context.Context, t *testing.T, c *kube.Client) {
	t.Helper()
	config, err := pgx.ParseConfig("postgres://users@" + forward(ctx, t, c, charts.ShopNamespace, "postgres", 5432) + "/shop")
	if err != nil {
		t.Fatal(err)
	}
	if config.TLSConfig, err = c.Identity(ctx, charts.ShopNamespace, "userservice-tls"); err != nil {
		t.Fatal(err)
	}
	config.TLSConfig.ServerName, config.Fallbacks = "postgres."+charts.ShopNamespace+".svc", nil
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Errorf("a new connection to PostgreSQL under the new root: %v", err)
		return
	}
	_ = conn.Close(ctx)
}
