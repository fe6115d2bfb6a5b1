//go:build e2e

package e2e

import (
	"context"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// TestUp_RepairsDeletedReleases deletes each release in two ways: as `helm uninstall` does, with its record, and as `kubectl delete` does, without.
func TestUp_RepairsDeletedReleases(t *testing.T) {
	for _, r := range sandbox.Releases() {
		feature(t, r.Name, func(ctx context.Context, t *testing.T) {
			uninstall(t, r)
			repair(ctx, t)
			if r.Selector == "" {
				// It has no deployments.
				return
			}
			err := connect(t).Kube.AppsV1().Deployments(r.Namespace).
				DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: r.Selector})
			if err != nil {
				t.Fatal(err)
			}
			repair(ctx, t)
		})
	}
}

// TestUp_RepairsManualChanges covers a scaled deployment, an edited policy and a missing or damaged kubeconfig.
func TestUp_RepairsManualChanges(t *testing.T) {
	feature(t, "scaled to 0", func(ctx context.Context, t *testing.T) {
		workloads := kube.Workloads{Client: connect(t), Namespace: charts.ShopNamespace}
		before, err := workloads.Replicas(ctx, "userservice")
		if err != nil {
			t.Fatal(err)
		}
		if err := workloads.Scale(ctx, "userservice", 0); err != nil {
			t.Fatal(err)
		}
		repair(ctx, t)
		if now, err := workloads.Replicas(ctx, "userservice"); err != nil || now != before {
			t.Errorf("userservice has %d replicas, %v; want %d", now, err, before)
		}
	})
	feature(t, "an edited policy", func(ctx context.Context, t *testing.T) {
		policies := connect(t).Kube.CoreV1().ConfigMaps(charts.ShopNamespace)
		before, err := policies.Get(ctx, "orderservice-policy", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		edited := before.DeepCopy()
		edited.Data["policy.yaml"] = "version: edited\n"
		if _, err := policies.Update(ctx, edited, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := shared.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		now, err := policies.Get(ctx, "orderservice-policy", metav1.GetOptions{})
		if err != nil || !maps.Equal(now.Data, before.Data) {
			t.Errorf("the policy is %v, %v", now.Data, err)
		}
	})
	for what, spoil := range map[string]func() error{
		"a deleted kubeconfig": func() error { return os.Remove(shared.GetKubeconfig()) },
		"a damaged kubeconfig": func() error { return os.WriteFile(shared.GetKubeconfig(), []byte("damaged: ["), 0o600) },
	} {
		feature(t, what, func(ctx context.Context, t *testing.T) {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if err := shared.must(ctx, "up"); err != nil {
				t.Fatal(err)
			}
			if !ready(ctx, t) {
				t.Error("up succeeded, but status reports that the sandbox is not ready")
			}
			info, err := os.Stat(shared.GetKubeconfig())
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the kubeconfig is %v, %v", info, err)
			}
		})
	}
}

// TestUp_NodeThatWasKilled ends the node as the end of the machine does: no program in it can clean up.
func TestUp_NodeThatWasKilled(t *testing.T) {
	feature(t, "killed node", func(ctx context.Context, t *testing.T) {
		engine := engineOfTheTest(ctx, t)
		if out, err := exec.CommandContext(ctx, engine, "kill", shared.name+"-control-plane").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := shared.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		if !ready(ctx, t) {
			t.Error("up succeeded, but status reports that the sandbox is not ready")
		}
	})
}

func uninstall(t *testing.T, r charts.Release) {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	kubeconfig := shared.GetKubeconfig()
	flags.KubeConfig, flags.Namespace = &kubeconfig, &r.Namespace
	cfg := new(action.Configuration)
	if err := cfg.Init(flags, r.Namespace, "secret", log.New(io.Discard, "", 0).Printf); err != nil {
		t.Fatal(err)
	}
	u := action.NewUninstall(cfg)
	u.Wait = true
	u.Timeout = reloadLimit
	if _, err := u.Run(r.Name); err != nil {
		t.Fatal(err)
	}
}

// repair checks that status reports the damage and that `up` repairs it.
func repair(ctx context.Context, t *testing.T) {
	t.Helper()
	if ready(ctx, t) {
		t.Error("status reports that a sandbox without a release is ready")
	}
	if err := shared.must(ctx, "up"); err != nil {
		t.Fatal(err)
	}
	if !ready(ctx, t) {
		t.Error("up succeeded, but status reports that the sandbox is not ready")
	}
}
