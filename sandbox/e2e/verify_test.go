//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// setControl sets the address of the control plane of a service, and waits until its pods have it.
func setControl(ctx context.Context, t *testing.T, c *live.Cluster, service, address string) {
	t.Helper()
	deployments := c.Kube.Kube.AppsV1().Deployments(charts.ShopNamespace)
	patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":%q,"env":[{"name":"CONTROL_ADDR","value":%q}]}]}}}}`, service, address)
	if _, err := deployments.Patch(ctx, service, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, service+" has rolled out", func(ctx context.Context) (bool, error) {
		d, err := deployments.Get(ctx, service, metav1.GetOptions{})
		return err == nil && rolledOut(d), err
	})
}

// TestVerify_ServiceThatIgnoresThePolicy: the status says who ignores a policy, and real calls show that the limit is not enforced.
func TestVerify_ServiceThatIgnoresThePolicy(t *testing.T) {
	feature(t, "orderservice without a control plane", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		const service, name = "orderservice", "ignored"
		setControl(ctx, t, c, service, "")
		defer setControl(context.WithoutCancel(ctx), t, c, service, "control."+charts.SystemNamespace+".svc:8443")
		policies := c.Kube.Dynamic.Resource(api.GroupVersion.WithResource("trafficpolicies")).Namespace(charts.ShopNamespace)
		spec := strings.Replace(ofUserservice(`"maxRequestsPerSecond":5`), "userservice", service, 1)
		if _, err := policies.Create(ctx, object(t, "TrafficPolicy", name, spec), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := objectsOf(context.WithoutCancel(ctx), t, c).Delete(context.WithoutCancel(ctx), target.TrafficPolicy, name); err != nil {
				t.Error(err)
			}
		}()
		await(ctx, t, "the status says that the pod ignores it", func(ctx context.Context) (bool, error) {
			out, code, err := shared.run(ctx, "policy", "status", name)
			return code == 1 && strings.Contains(out, "ignored") && strings.Contains(out, "the process is not connected to the control plane"), err
		})
		out, code, err := shared.run(ctx, "policy", "verify", name, "--for", "5s")
		if err != nil || code != 1 || !strings.Contains(out, "not enforced") {
			t.Errorf("verify ended with %d, %v:\n%s", code, err, out)
		}
	})
}
