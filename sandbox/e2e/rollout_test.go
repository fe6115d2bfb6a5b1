//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

func TestRollout_DropsNoCall(t *testing.T) {
	// After two restarts none of the addresses that the caller resolved at the start is left.
	feature(t, "two rolling restarts at 200 calls/s", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c, "loadgen"))
		underLoad(ctx, t, loads, "rollout", 200, func() {
			restart(ctx, t, c, "userservice")
			restart(ctx, t, c, "userservice")
		})
	})
}

// restart does the same as `kubectl rollout restart` and waits until the rollout has completed.
func restart(ctx context.Context, t *testing.T, c *kube.Client, deployment string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"kubectl.kubernetes.io/restartedAt": time.Now().Format(time.RFC3339)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	deployments := c.Kube.AppsV1().Deployments(charts.ShopNamespace)
	if _, err := deployments.Patch(ctx, deployment, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var d *appsv1.Deployment
	err = pause.UntilWithin(ctx, 200*time.Millisecond, 3*time.Minute, func(ctx context.Context) (bool, error) {
		var err error
		d, err = deployments.Get(ctx, deployment, metav1.GetOptions{})
		return err == nil && rolledOut(d), err
	})
	if err != nil {
		t.Fatalf("restarting %s: %v: %+v", deployment, err, d.Status)
	}
}

// rolledOut reports whether all pods of a deployment are ready and have its newest template.
func rolledOut(d *appsv1.Deployment) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas == s.Replicas
}

func TestScale_NewReplicaGetsItsShare(t *testing.T) {
	feature(t, "a fourth replica gets a fair share", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		metrics := prometheus(ctx, t, c)
		workloads := kube.Workloads{Client: c, Namespace: charts.ShopNamespace}
		replicas, err := workloads.Replicas(ctx, "userservice")
		if err != nil {
			t.Fatal(err)
		}
		known := settled(ctx, t, workloads, replicas)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c, "loadgen"))
		defer func() {
			fresh := context.WithoutCancel(ctx)
			if err := workloads.Scale(fresh, "userservice", replicas); err != nil {
				t.Error(err)
				return
			}
			// The next test counts pods too.
			settled(fresh, t, workloads, replicas)
		}()
		underLoad(ctx, t, loads, "share", 100, func() {
			if err := workloads.Scale(ctx, "userservice", replicas+1); err != nil {
				t.Fatal(err)
			}
			added := awaitNewPod(ctx, t, workloads, known)
			ready := time.Now()
			// The background load of 20/s and the users of 5 orders a second are part of the total.
			fair := 125.0 / float64(replicas+1)
			var got float64
			// The limit is 15 s plus the time until a rate over 3 s shows the change.
			err := pause.UntilWithin(ctx, 250*time.Millisecond, 19*time.Second, func(ctx context.Context) (bool, error) {
				var err error
				got, err = metrics.Value(ctx, fmt.Sprintf(`sum(rate(grpc_server_handled_total{pod=%q,grpc_method="GetUser"}[3s]))`, added))
				return err == nil && got >= 0.7*fair, nil
			})
			if err != nil {
				t.Errorf("%s had %.1f calls/s of its fair %.1f after %s", added, got, fair, time.Since(ready).Round(time.Second))
			}
			t.Logf("%s had its share %s after it was ready", added, time.Since(ready).Round(100*time.Millisecond))
		})
	})
}

// settled waits until a release has exactly the wanted number of pods, and returns their names.
func settled(ctx context.Context, t *testing.T, w kube.Workloads, replicas int) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	err := pause.UntilWithin(ctx, 200*time.Millisecond, time.Minute, func(ctx context.Context) (bool, error) {
		pods, err := w.Pods(ctx, "userservice")
		clear(known)
		for _, p := range pods {
			known[p.Name] = true
		}
		return len(pods) == replicas, err
	})
	if err != nil {
		t.Fatalf("pods of userservice: %v, want %d: %v", known, replicas, err)
	}
	return known
}

func awaitNewPod(ctx context.Context, t *testing.T, w kube.Workloads, known map[string]bool) string {
	t.Helper()
	added := ""
	err := pause.UntilWithin(ctx, 100*time.Millisecond, time.Minute, func(ctx context.Context) (bool, error) {
		pods, err := w.Pods(ctx, "userservice")
		for _, p := range pods {
			if !known[p.Name] && p.Ready {
				added = p.Name
			}
		}
		return added != "", err
	})
	if err != nil {
		t.Fatalf("no new pod became ready: %v", err)
	}
	return added
}
