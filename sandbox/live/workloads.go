package live

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// workloads implements scenarios.Workloads with the releases that scenarios may change, each in its namespace.
type workloads struct {
	client *kube.Client
	// namespaces has the namespace of each release.
	namespaces map[string]string
}

func (c *Cluster) workloads() workloads {
	w := workloads{c.Kube, map[string]string{}}
	for _, r := range sandbox.Releases() {
		if r.Target {
			w.namespaces[r.Name] = r.Namespace
		}
	}
	return w
}

func (w workloads) of(release string) kube.Workloads {
	return kube.Workloads{Client: w.client, Namespace: cmp.Or(w.namespaces[release], charts.ShopNamespace)}
}

func (w workloads) Pods(ctx context.Context, release string) ([]telemetry.Pod, error) {
	return w.of(release).Pods(ctx, release)
}

// Kill deletes a pod. The names of the pods of a deployment begin with the name of its release; of two such releases, the one with the longer name
// has the pod.
func (w workloads) Kill(ctx context.Context, pod string, grace time.Duration) error {
	owner := ""
	for release := range w.namespaces {
		if strings.HasPrefix(pod, release+"-") && len(release) > len(owner) {
			owner = release
		}
	}
	return w.of(owner).Kill(ctx, pod, grace)
}

func (w workloads) Replicas(ctx context.Context, release string) (int, error) {
	return w.of(release).Replicas(ctx, release)
}

func (w workloads) Scale(ctx context.Context, release string, replicas int) error {
	return w.of(release).Scale(ctx, release, replicas)
}
