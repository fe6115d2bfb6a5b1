package main

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

const loadgenRate = `sum(rate(grpc_client_handled_total{service="loadgen"}[30s]))`

// calledWindow is how recent a call must be to count as one now; its trace has had time to arrive.
const calledWindow = 30 * time.Second

// patient is the cluster as the doctor examines it.
func (s *session) patient() *doctor.Cluster {
	return &doctor.Cluster{
		Nodes: s.nodes, Releases: s.releases, Certificates: s.certificates, Trust: s.trust,
		Pods:   s.pods,
		Called: s.called, Targets: s.prometheus.TargetsUp, Breakers: s.prometheus.Breakers, Services: s.jaeger.Services,
		Traces: func(ctx context.Context, service string) (int, error) {
			traces, err := s.jaeger.Traces(ctx, service, time.Now().Add(-tracesWindow), 20)
			return len(traces), err
		},
		CallRate: func(ctx context.Context) (float64, error) {
			rate, err := s.prometheus.Value(ctx, loadgenRate)
			if errors.Is(err, observe.ErrNoData) {
				return 0, nil
			}
			return rate, err
		},
	}
}

// called are the services that anybody calls now.
func (s *session) called(ctx context.Context) ([]string, error) {
	edges, err := s.prometheus.Edges(ctx, calledWindow)
	var all []string
	for _, e := range edges {
		if e.Rate > 0 && !slices.Contains(all, e.Callee) {
			all = append(all, e.Callee)
		}
	}
	return all, err
}

func (s *session) nodes(ctx context.Context) ([]doctor.Node, error) {
	list, err := s.client.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []doctor.Node
	for _, n := range list.Items {
		node := doctor.Node{Name: n.Name}
		for _, c := range n.Status.Conditions {
			if c.Type == "Ready" {
				node.Ready, node.Why = c.Status == "True", c.Message
			}
		}
		all = append(all, node)
	}
	return all, nil
}

func (s *session) pods(ctx context.Context, namespace string) ([]telemetry.Pod, error) {
	all, err := kube.Workloads{Client: s.client, Namespace: namespace}.Pods(ctx, "")
	for i := range all {
		all[i].Release = logged(all[i])
	}
	return all, err
}

// logged is the release whose logs are a pod's; empty for a pod of none. The pods of cert-manager carry names of its parts: theirs is the only
// release with pods in their namespace.
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

// releases is what became of the catalog as Helm tells it; whether the pods are ready is another question.
func (s *session) releases(ctx context.Context) ([]doctor.Release, error) {
	var states []release.State
	var asked []string
	for _, r := range sandbox.Releases() {
		if slices.Contains(asked, r.Namespace) {
			continue
		}
		asked = append(asked, r.Namespace)
		found, err := release.List(ctx, s.cluster.Kubeconfig, r.Namespace)
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
		_, why := installed(r, states)
		all = append(all, doctor.Release{Name: r.Name, Namespace: r.Namespace, Deployed: why == "", Why: why})
	}
	return all
}

func (s *session) certificates(ctx context.Context) ([]doctor.Certificate, error) {
	found, err := sandbox.Certificates(ctx, s.client)
	var all []doctor.Certificate
	for _, c := range found {
		all = append(all, doctor.Certificate{Namespace: c.Namespace, Name: c.Name, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Why: c.Why})
	}
	return all, err
}

func (s *session) trust(ctx context.Context) (doctor.Trust, error) {
	found, err := sandbox.RootsOf(ctx, s.client)
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
