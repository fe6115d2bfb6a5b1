//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// verified is what `contracts verify -o json` prints.
type verified struct {
	Result       string
	Interactions []struct {
		Consumer, Provider, Interaction, Result string
		Problems                                []struct{ Field, Problem string }
	}
	Descriptors []struct {
		Provider, Result string
		Problems         []struct{ Field, Problem string }
	}
}

func verify(ctx context.Context, t *testing.T, names ...string) (verified, int) {
	t.Helper()
	out, code, err := shared.run(ctx, append([]string{"contracts", "verify", "-o", "json"}, names...)...)
	var v verified
	if err != nil || json.Unmarshal([]byte(out), &v) != nil {
		t.Fatalf("verify %v ended with %d, %v: %s", names, code, err, out)
	}
	return v, code
}

func TestContracts_PassUnderLoad(t *testing.T) {
	feature(t, "contracts verify, twice, while orders are placed", func(ctx context.Context, t *testing.T) {
		s := openShop(ctx, t)
		till, closing := s.keepSelling(ctx, t)
		till.awaitMore(ctx, t, "before anything was verified")
		for range 2 {
			v, code := verify(ctx, t)
			if code != 0 || v.Result != "pass" {
				t.Errorf("it ended with %d: %+v", code, v)
			}
			var skipped []string
			for _, i := range v.Interactions {
				if i.Result == "skip" {
					skipped = append(skipped, i.Interaction)
				}
			}
			if len(v.Interactions) < 15 || len(v.Descriptors) != 5 || !slices.Equal(skipped, []string{"commit"}) {
				t.Errorf("%d interactions, %d descriptors, skipped %q", len(v.Interactions), len(v.Descriptors), skipped)
			}
		}
		till.awaitMore(ctx, t, "after all was verified")
		closing()
		checkBooks(ctx, t, s, till.orders)
	})
}

func TestContracts_BrokenProvider(t *testing.T) {
	feature(t, "a provider that breaks its contract", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		whole := changePolicy(ctx, t, c, "paymentservice", func(text string) string {
			return text + "serverFaults:\n- method: payment.v1.PaymentService/Charge\n  abort: {code: INTERNAL}\n"
		})
		restore := sync.OnceFunc(func() {
			changePolicy(context.WithoutCancel(ctx), t, c, "paymentservice", func(string) string { return whole })
		})
		defer restore()
		broken := awaitResult(ctx, t, "fail", "paymentservice")
		found := false
		for _, i := range broken.Interactions {
			for _, p := range i.Problems {
				found = found || i.Consumer == "orderservice" && i.Interaction == "charge" && p.Field == "code" && strings.Contains(p.Problem, "INTERNAL")
			}
			if i.Interaction == "charge too much" && i.Result == "pass" {
				t.Errorf("%q passes while every charge is aborted", i.Interaction)
			}
		}
		if !found {
			t.Errorf("no problem names consumer, interaction and field: %+v", broken)
		}
		restore()
		awaitResult(ctx, t, "pass", "paymentservice")
	})
}

// changePolicy changes the policy of a release and returns the previous one.
func changePolicy(ctx context.Context, t *testing.T, c *kube.Client, release string, change func(string) string) (before string) {
	t.Helper()
	configs := c.Kube.CoreV1().ConfigMaps(charts.ShopNamespace)
	policy, err := configs.Get(ctx, release+"-policy", metav1.GetOptions{})
	if err == nil {
		before = policy.Data["policy.yaml"]
		policy.Data["policy.yaml"] = change(before)
		_, err = configs.Update(ctx, policy, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return before
}

// awaitResult verifies until the result is the wanted one, because the kubelet updates a mounted policy with a delay.
func awaitResult(ctx context.Context, t *testing.T, want, provider string) (v verified) {
	t.Helper()
	err := pause.UntilWithin(ctx, 2*time.Second, 3*time.Minute, func(ctx context.Context) (bool, error) {
		code := 0
		v, code = verify(ctx, t, provider)
		if (code == 0) != (v.Result == "pass") || code > 1 {
			t.Errorf("the result is %s, and the exit code %d", v.Result, code)
		}
		return v.Result == want, nil
	})
	if err != nil {
		t.Fatalf("verifying %s never resulted in %s: %+v", provider, want, v)
	}
	return v
}

func TestReflection_OnlyForAllowedCallers(t *testing.T) {
	feature(t, "reflection by identity", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		for caller, want := range map[string]codes.Code{"cli": codes.OK, "orderservice": codes.OK, "userservice": codes.PermissionDenied} {
			config, err := c.Identity(ctx, charts.ShopNamespace, caller+"-tls")
			if err != nil {
				t.Fatal(err)
			}
			config.ServerName = "inventoryservice." + charts.ShopNamespace + ".svc"
			address := forward(ctx, t, c, charts.ShopNamespace, "inventoryservice", 8443)
			stream, err := reflectionv1.NewServerReflectionClient(dial(t, address, credentials.NewTLS(config))).ServerReflectionInfo(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_ = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
			if _, err := stream.Recv(); status.Code(err) != want {
				t.Errorf("%s lists services: %v, want %s", caller, err, want)
			}
		}
	})
}
