package live

import (
	"context"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// workloads implements scenarios.Workloads with the releases of the shop and the control plane, which is in another namespace.
type workloads struct{ shop, system kube.Workloads }

func (c *Cluster) workloads() workloads {
	return workloads{c.Workloads, kube.Workloads{Client: c.Kube, Namespace: charts.SystemNamespace}}
}

func (w workloads) of(release string) kube.Workloads {
	if release == charts.Control {
		return w.system
	}
	return w.shop
}

func (w workloads) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	return w.of(release).Pods(ctx, release)
}

// Kill deletes a pod. The names of the pods of a deployment begin with the name of its release.
func (w workloads) Kill(ctx context.Context, pod string, grace time.Duration) error {
	if strings.HasPrefix(pod, charts.Control+"-") {
		return w.system.Kill(ctx, pod, grace)
	}
	return w.shop.Kill(ctx, pod, grace)
}

func (w workloads) Replicas(ctx context.Context, release string) (int, error) {
	return w.of(release).Replicas(ctx, release)
}

func (w workloads) Scale(ctx context.Context, release string, replicas int) error {
	return w.of(release).Scale(ctx, release, replicas)
}
