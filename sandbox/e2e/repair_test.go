//go:build e2e

package e2e

import (
	"context"
	"io"
	"log"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
)

// Deleted by hand means two things: `helm uninstall`, which takes the record too, and `kubectl delete`, which leaves it.
func TestUpRepairsEveryReleaseDeletedByHand(t *testing.T) {
	for _, r := range sandbox.Releases() {
		feature(t, r.Name, func(ctx context.Context, t *testing.T) {
			uninstall(t, r)
			repair(ctx, t)
			if r.Selector == "" {
				return // it has no deployments
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

func uninstall(t *testing.T, r charts.Release) {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	kubeconfig := world.GetKubeconfig()
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

// repair wants a damaged sandbox to say so, and `up` to mend it.
func repair(ctx context.Context, t *testing.T) {
	t.Helper()
	if ready(ctx, t) {
		t.Error("status calls a sandbox ready that lacks a release")
	}
	if err := world.must(ctx, "up"); err != nil {
		t.Fatal(err)
	}
	if !ready(ctx, t) {
		t.Error("up ended well, and status calls the sandbox not ready")
	}
}
