//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// partner is a partner outside the cluster, as the printed commands describe it.
type partner struct {
	CertificateFile, KeyFile, RootsFile, Address, Curl string
	tls                                                *tls.Config
}

// newPartner runs `sandbox partner add`.
func newPartner(ctx context.Context, t *testing.T, name string) partner {
	t.Helper()
	out, code, err := shared.run(ctx, "partner", "add", name, "--dir", filepath.Join(t.TempDir(), name), "-o", "json")
	if err != nil || code != 0 {
		t.Fatalf("partner add ended with %d, %v", code, err)
	}
	t.Cleanup(func() {
		// The next run of the test adds it again.
		_, _, _ = shared.run(context.WithoutCancel(ctx), "partner", "revoke", name)
	})
	var p partner
	if err := json.Unmarshal([]byte(out), &p); err != nil || p.Address == "" {
		t.Fatalf("partner add printed %s, %v", out, err)
	}
	pair, err := tls.LoadX509KeyPair(p.CertificateFile, p.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p.RootsFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	p.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots}
	return p
}

// http returns a client for REST.
func (p partner) http(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: p.tls, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// grpc returns a connection for gRPC.
func (p partner) grpc(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+p.Address, grpc.WithTransportCredentials(credentials.NewTLS(p.tls)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestGateway_OrderInOneTrace(t *testing.T) {
	feature(t, "REST, gRPC and one trace", func(ctx context.Context, t *testing.T) {
		c, p := open(ctx, t), newPartner(ctx, t, "e2e-trace")
		const trace = "5af7651916cd43dd8448eb211c80319c"
		body := `{"userId":"u-1","lines":[{"sku":"sku-1","quantity":1}],"idempotencyKey":"` + fmt.Sprint(time.Now().UnixNano()) + `"}`
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+p.Address+"/v1/orders", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
		req.Header.Set("X-Partner", "somebody-else")
		resp, err := p.http(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var made struct {
			Order struct{ OrderID, State string }
		}
		if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(text, &made) != nil || made.Order.State != "ORDER_STATE_CONFIRMED" {
			t.Fatalf("POST /v1/orders: %s %s, %v", resp.Status, text, err)
		}
		// The same order over gRPC, and the details of an error.
		conn := p.grpc(t)
		got, err := orderv1.NewOrderServiceClient(conn).GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: made.Order.OrderID})
		if err != nil || got.GetOrder().GetUserId() != "u-1" {
			t.Errorf("GetOrder: %v, %v", got, err)
		}
		_, err = userv1.NewUserServiceClient(conn).GetUser(ctx, &userv1.GetUserRequest{UserId: "nobody"})
		if status.Code(err) != codes.InvalidArgument || len(status.Convert(err).Details()) == 0 {
			t.Errorf("GetUser of a malformed id: %v with %d details", err, len(status.Convert(err).Details()))
		}
		await(ctx, t, "the trace from the gateway to the services", func(ctx context.Context) (bool, error) {
			found, err := c.Jaeger.Trace(ctx, trace)
			// OrderService may remember the user.
			services := map[string]bool{}
			for _, s := range found.Spans {
				services[s.Service] = true
			}
			return err == nil && hasCall([]observe.Trace{found}, "gateway", "orderservice") && services["inventoryservice"] && services["paymentservice"], nil
		})
	})
}

func TestGateway_RevokedPartner(t *testing.T) {
	feature(t, "the next call is refused", func(ctx context.Context, t *testing.T) {
		revoked, other := newPartner(ctx, t, "e2e-revoked"), newPartner(ctx, t, "e2e-other")
		users, others := userv1.NewUserServiceClient(revoked.grpc(t)), userv1.NewUserServiceClient(other.grpc(t))
		call := func(c userv1.UserServiceClient) error {
			_, err := c.GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"})
			return err
		}
		for _, c := range []userv1.UserServiceClient{users, others} {
			if err := call(c); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if err := shared.must(ctx, "partner", "revoke", "e2e-revoked"); err != nil {
			t.Fatal(err)
		}
		err := call(users)
		if took := time.Since(began); status.Code(err) != codes.Unauthenticated || refusal.Reason(err) != nginx.ReasonCertificateRevoked || took > 5*time.Second {
			t.Errorf("%s after the command has started: %v", took, err)
		}
		if err := call(others); err != nil {
			t.Errorf("the other partner: %v", err)
		}
		resp, err := revoked.http(t).Get("https://" + revoked.Address + "/v1/users/u-1")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("REST: %s %s", resp.Status, resp.Header.Get("Content-Type"))
		}
	})
}

// TestGateway_ReloadsLoseNoCall changes everything for which nginx is reloaded while a partner calls.
func TestGateway_ReloadsLoseNoCall(t *testing.T) {
	feature(t, "policies, certificates and revocations at 200 calls/s", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		p := newPartner(ctx, t, "e2e-reload")
		read := func(path string) []byte {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		through := &loadgenv1.Gateway{Address: "gateway." + charts.ShopNamespace + ".svc:8443", CertificatePem: read(p.CertificateFile), KeyPem: read(p.KeyFile), RootsPem: read(p.RootsFile)}
		objects, loads := objectsOf(ctx, t, c), loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c.Kube, "loadgen"))
		underLoadThrough(ctx, t, loads, "reload", 200, through, func() {
			for n := range 5 {
				spec := fmt.Sprintf(`{"selector":{"matchLabels":{"app.kubernetes.io/name":"gateway"}},"methods":[{"bulkhead":{"maxConcurrent":%d}}]}`, 500+n)
				if err := objects.Put(ctx, target.Object{Kind: target.TrafficPolicy, Name: "e2e-gateway", Spec: spec}); err != nil {
					t.Fatal(err)
				}
				if err := c.AwaitPolicy(ctx, "e2e-gateway"); err != nil {
					t.Error(err)
				}
			}
			if err := objects.Delete(ctx, target.TrafficPolicy, "e2e-gateway"); err != nil {
				t.Error(err)
			}
			newPartner(ctx, t, "e2e-gone")
			for _, args := range [][]string{{"partner", "revoke", "e2e-gone"}, {"certs", "renew", charts.ShopNamespace + "/" + charts.Gateway}} {
				if err := shared.must(ctx, args...); err != nil {
					t.Error(err)
				}
			}
			if t.Failed() {
				return
			}
			restart(ctx, t, c.Kube, charts.Gateway)
		})
		// The screen shows the gateway as a caller.
		edges, err := c.Prometheus.Value(ctx, `sum(rate(grpc_client_handled_total{service="gateway",callee="userservice"}[1m]))`)
		if err != nil || edges <= 0 {
			t.Errorf("calls of the gateway per second: %v, %v", edges, err)
		}
	})
}

func TestGateway_Limits(t *testing.T) {
	feature(t, "a limit of each partner, and the verdict of each field", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		objects, p := objectsOf(ctx, t, c), newPartner(ctx, t, "e2e-limit")
		spec := `{"selector":{"matchLabels":{"app.kubernetes.io/name":"gateway"}},"methods":[{"method":"user.v1.UserService/GetUser",
			"rate":{"limits":[{"limit":{"perCaller":true,"tokenBucket":{"rate":1,"burst":3}}}]},"shedGroup":"x"}]}`
		// Put waits until the whole policy is enforced, which this one never is.
		if _, err := c.ApplyPolicy(ctx, api.TrafficPolicy{ObjectMeta: metav1.ObjectMeta{Name: "e2e-limit"}, Spec: json.RawMessage(spec)}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := objects.Delete(context.WithoutCancel(ctx), target.TrafficPolicy, "e2e-limit"); err != nil {
				t.Error(err)
			}
		}()
		var verdicts []string
		await(ctx, t, "the verdict of the gateway", func(ctx context.Context) (bool, error) {
			all, err := c.Subscribers(ctx, "TrafficPolicy", "e2e-limit")
			verdicts = nil
			for _, s := range all {
				for _, f := range s.GetFields() {
					verdicts = append(verdicts, f.GetField()+" "+f.GetVerdict().String())
				}
			}
			slices.Sort(verdicts)
			return slices.Equal(verdicts, []string{"methods[0].rate.limits VERDICT_ENFORCED", "methods[0].shedGroup VERDICT_IGNORED"}), err
		})
		users, refused := userv1.NewUserServiceClient(p.grpc(t)), 0
		for range 10 {
			_, err := users.GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"})
			switch delay, _ := refusal.RetryDelay(err); {
			case err == nil:
			case status.Code(err) == codes.ResourceExhausted && refusal.Reason(err) == refusal.ReasonRateLimited && delay >= time.Second:
				refused++
			default:
				t.Errorf("%v, try again after %s", err, delay)
			}
		}
		if refused < 5 || refused > 7 {
			t.Errorf("%d of 10 calls were refused, with a burst of 3 and 1 call per second", refused)
		}
	})
	feature(t, "a limit of all partners together", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		objects := objectsOf(ctx, t, c)
		const spec = `{"selector":{"matchLabels":{"app.kubernetes.io/name":"gateway"}},"maxRequestsPerSecond":2}`
		if err := objects.Put(ctx, target.Object{Kind: target.TrafficPolicy, Name: "e2e-limit", Spec: spec}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := objects.Delete(context.WithoutCancel(ctx), target.TrafficPolicy, "e2e-limit"); err != nil {
				t.Error(err)
			}
		}()
		if err := c.AwaitPolicy(ctx, "e2e-limit"); err != nil {
			t.Fatal(err)
		}
		var partners []userv1.UserServiceClient
		for _, name := range []string{"e2e-limit", "e2e-limit-other"} {
			partners = append(partners, userv1.NewUserServiceClient(newPartner(ctx, t, name).grpc(t)))
		}
		answered, refused := 0, 0
		started := time.Now()
		for _, users := range partners {
			for range 10 {
				_, err := users.GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"})
				switch {
				case err == nil:
					answered++
				case status.Code(err) == codes.ResourceExhausted && refusal.Reason(err) == refusal.ReasonRateLimited:
					refused++
				default:
					t.Error(err)
				}
			}
		}
		// The burst is that of one second.
		if most := 3 + 2*int(time.Since(started).Seconds()+1); answered < 2 || answered > most || answered+refused != 20 {
			t.Errorf("%d of 20 calls were answered and %d refused, want 2 to %d answered", answered, refused, most)
		}
	})
}
