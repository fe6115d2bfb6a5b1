package live

import (
	"context"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/sandbox/release"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const loadgenRate = `sum(rate(grpc_client_handled_total{service="` + charts.LoadGenerator + `"}[30s]))`

// calledWindow is how recent a call must be to count as current. It leaves time for its trace to arrive.
const calledWindow = 30 * time.Second

// tracesWindow is how recent a trace must be to show that traces arrive.
const tracesWindow = 5 * time.Minute

// Doctor returns the functions with which the doctor examines the cluster.
func (c *Cluster) Doctor() *doctor.Cluster {
	return &doctor.Cluster{
		Parts: doctor.Parts{Generator: charts.LoadGenerator, Metrics: charts.MetricsStore, Traces: charts.TraceStore},
		Nodes: c.nodes, Releases: c.releases, Certificates: c.certificates, Trust: c.trust,
		Pods:   c.pods,
		Called: c.called, Targets: c.Prometheus.TargetsUp, Breakers: c.Prometheus.Breakers, Services: c.Jaeger.Services,
		Traces: func(ctx context.Context, service string) (int, error) {
			traces, err := c.Jaeger.Traces(ctx, service, time.Now().Add(-tracesWindow), 20)
			return len(traces), err
		},
		CallRate: func(ctx context.Context) (float64, error) {
			rate, err := c.Prometheus.Value(ctx, loadgenRate)
			if errors.Is(err, observe.ErrNoData) {
				return 0, nil
			}
			return rate, err
		},
	}
}

// called returns the services that currently receive calls.
func (c *Cluster) called(ctx context.Context) ([]string, error) {
	edges, err := c.Prometheus.Edges(ctx, calledWindow)
	var all []string
	for _, e := range edges {
		if e.Rate > 0 && !slices.Contains(all, e.Callee) {
			all = append(all, e.Callee)
		}
	}
	return all, err
}

func (c *Cluster) nodes(ctx context.Context) ([]doctor.Node, error) {
	list, err := c.Kube.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []doctor.Node
	for _, n := range list.Items {
		node := doctor.Node{Name: n.Name}
		for _, condition := range n.Status.Conditions {
			if condition.Type == "Ready" {
				node.Ready, node.Why = condition.Status == "True", condition.Message
			}
		}
		all = append(all, node)
	}
	return all, nil
}

func (c *Cluster) pods(ctx context.Context, namespace string) ([]telemetry.Pod, error) {
	all, err := kube.Workloads{Client: c.Kube, Namespace: namespace}.Pods(ctx, "")
	for i := range all {
		all[i].Release = logged(all[i])
	}
	return all, err
}

// logged returns the release whose logs include a pod's; empty if there is none. The pods of cert-manager are labelled with the names of its
// components, so they are recognised by their namespace, which has no other release.
func logged(p telemetry.Pod) string {
	var neighbours []string
	for _, r := range sandbox.Releases() {
		switch {
		case r.Namespace != p.Namespace || r.Selector == "":
		case r.Name == p.Release:
			return r.Name
		default:
			neighbours = append(neighbours, r.Name)
		}
	}
	if len(neighbours) == 1 {
		return neighbours[0]
	}
	return ""
}

// releases returns whether Helm calls each release of the catalog deployed, which does not mean that its pods are ready.
func (c *Cluster) releases(ctx context.Context) ([]doctor.Release, error) {
	var states []release.State
	var asked []string
	for _, r := range sandbox.Releases() {
		if slices.Contains(asked, r.Namespace) {
			continue
		}
		asked = append(asked, r.Namespace)
		found, err := release.List(ctx, c.Node.Kubeconfig, r.Namespace)
		if err != nil {
			return nil, err
		}
		states = append(states, found...)
	}
	return deployed(sandbox.Releases(), states), nil
}

func deployed(catalog []charts.Release, states []release.State) []doctor.Release {
	var all []doctor.Release
	for _, r := range catalog {
		_, why := installedAs(r, states)
		all = append(all, doctor.Release{Name: r.Name, Namespace: r.Namespace, Deployed: why == "", Why: why})
	}
	return all
}

func (c *Cluster) certificates(ctx context.Context) ([]doctor.Certificate, error) {
	found, err := sandbox.Certificates(ctx, c.Kube)
	var all []doctor.Certificate
	logs := certificateLogs()
	for _, cert := range found {
		all = append(all, doctor.Certificate{Namespace: cert.Namespace, Name: cert.Name, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Why: cert.Why,
			Logs: logs})
	}
	return all, err
}

// certificateLogs returns the release whose logs say why a certificate is not issued.
func certificateLogs() string {
	for _, r := range sandbox.Releases() {
		if r.Ready == charts.ReadyCertificates {
			return r.Logs
		}
	}
	return ""
}

func (c *Cluster) trust(ctx context.Context) (doctor.Trust, error) {
	found, err := sandbox.RootsOf(ctx, c.Kube)
	if err != nil {
		return doctor.Trust{}, err
	}
	t := doctor.Trust{Stale: found.Stale}
	if found.Stage != certs.Steady {
		t.Unfinished = string(found.Stage)
	}
	for _, r := range found.Roots {
		if r.Role == "issuing" {
			t.NotAfter = r.NotAfter
		}
	}
	return t, nil
}
