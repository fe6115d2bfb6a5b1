//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// TestOutlier_OneBadReplicaOfThree makes one pod of userservice fail every call, and measures how many calls are answered.
func TestOutlier_OneBadReplicaOfThree(t *testing.T) {
	feature(t, "one bad replica of three at 100 calls/s", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c, "loadgen"))
		const name = "bad-replica"
		if _, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: name, Target: "userservice",
			Method: "user.v1.UserService/GetUser", RequestJson: `{"userId":"u-{{ n 1 1000 }}"}`, Rate: 100, Seed: 1}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := loads.StopLoad(context.WithoutCancel(ctx), &loadgenv1.StopLoadRequest{Name: name}); err != nil {
				t.Error(err)
			}
		}()
		metrics := prometheus(ctx, t, c)
		ejected := func(want float64) func(context.Context) (bool, error) {
			return func(ctx context.Context) (bool, error) {
				v, err := metrics.Value(ctx, `max(sandbox_outlier_ejected{callee="userservice"})`)
				return err == nil && v == want, nil
			}
		}
		pods := podNames(ctx, t, c, "userservice")
		before := changePolicy(ctx, t, c, "userservice", func(text string) string {
			return text + fmt.Sprintf("\nserverFaults: [{name: bad-replica, pod: %s, method: user.v1.UserService/GetUser, abort: {code: UNAVAILABLE}}]\n", pods[0])
		})
		defer func() {
			fresh := context.WithoutCancel(ctx)
			changePolicy(fresh, t, c, "userservice", func(string) string { return before })
			syncVolumes(fresh, t, c, pods)
			await(fresh, t, "the replica is in use again", ejected(0))
		}()
		syncVolumes(ctx, t, c, pods)
		await(ctx, t, "the bad replica is ejected", ejected(1))
		first, err := loads.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		var last *loadgenv1.LoadStats
		await(ctx, t, "a minute of load", func(ctx context.Context) (bool, error) {
			last, err = loads.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: name})
			return err == nil && last.GetReadAt().AsTime().Sub(first.GetReadAt().AsTime()) >= time.Minute, err
		})
		intended, ok := last.GetIntended()-first.GetIntended(), last.GetOk()-first.GetOk()
		t.Logf("%d of %d calls answered while one of three replicas failed every call; errors %v, refused %v", ok, intended, last.GetErrors(), last.GetRefused())
		if float64(ok) < 0.95*float64(intended) || intended < 5000 {
			t.Errorf("%d of %d calls answered, want 95 %%", ok, intended)
		}
		breakers, err := loads.Breakers(ctx, &loadgenv1.BreakersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range breakers.GetBreakers() {
			if b.GetCallee() == "userservice" && b.GetMethod() == "user.v1.UserService/GetUser" && b.GetState() != "closed" {
				t.Errorf("the breaker is %s: %s", b.GetState(), b.GetReason())
			}
		}
	})
}

// syncVolumes makes the kubelet update the mounted ConfigMaps of pods now, by a change of the pods themselves. Otherwise it takes up to a minute.
func syncVolumes(ctx context.Context, t *testing.T, c *kube.Client, pods []string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"sandbox.dev/synced":"%d"}}}`, time.Now().UnixNano())
	for _, pod := range pods {
		if _, err := c.Kube.CoreV1().Pods(charts.ShopNamespace).Patch(ctx, pod, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func podNames(ctx context.Context, t *testing.T, c *kube.Client, release string) (names []string) {
	t.Helper()
	pods, err := c.Kube.CoreV1().Pods(charts.ShopNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + release})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("no pods of %s: %v", release, err)
	}
	for _, p := range pods.Items {
		names = append(names, p.Name)
	}
	return names
}
