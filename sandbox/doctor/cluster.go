package doctor

import (
	"context"
	"strings"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const cluster = "cluster"

// calmRestarts is how often a pod may restart before that says something.
const calmRestarts = 3

func clusterChecks() []Check {
	return []Check{
		{"node-ready", cluster, "nothing runs without a node", nodeReady},
		{"kube-system", cluster, "the cluster's own pods come first", kubeSystem},
		{"releases-deployed", cluster, "every chart went in", releasesDeployed},
		{"pods-ready", cluster, "every pod serves", podsReady},
		{"pod-restarts", cluster, "a pod that keeps restarting is not well", podRestarts},
	}
}

// noCluster is what checks of the cluster say without one.
func noCluster(w World) Result {
	if w.Damage != nil {
		return skip("the sandbox cannot be opened")
	}
	return Result{Skip, "no cluster; " + w.Command("up"), w.Command("up")}
}

func unanswered(w World, what string, err error) Result {
	return fail(w.Command("status")+"; if the cluster is gone: "+w.Command("up"), "%s cannot be read: %v", what, err)
}

// again makes the cluster anew.
func again(w World) string { return w.Command("down") + ", then " + w.Command("up") }

func nodeReady(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Nodes == nil {
		return noCluster(w)
	}
	nodes, err := w.Cluster.Nodes(ctx)
	if err != nil {
		return unanswered(w, "the nodes", err)
	}
	if len(nodes) == 0 {
		return fail(again(w), "the cluster has no node")
	}
	for _, n := range nodes {
		if !n.Ready {
			return fail(w.kubectl()+" describe node "+n.Name+"; if it stays so: "+again(w), "node %s is not ready: %s", n.Name, n.Why)
		}
	}
	return pass("%s ready", count(len(nodes), "node"))
}

func kubeSystem(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Pods == nil {
		return noCluster(w)
	}
	pods, err := w.Cluster.Pods(ctx, "kube-system")
	if err != nil {
		return unanswered(w, "the pods of kube-system", err)
	}
	if len(pods) == 0 {
		return fail(again(w), "kube-system has no pods")
	}
	if bad := unready(pods); len(bad) > 0 {
		return fail(w.kubectl()+" -n kube-system describe pod "+bad[0].Name, "%s", describe(bad, len(pods)))
	}
	return pass("%s of kube-system ready", count(len(pods), "pod"))
}

func releasesDeployed(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Releases == nil {
		return noCluster(w)
	}
	releases, err := w.Cluster.Releases(ctx)
	if err != nil {
		return unanswered(w, "the releases", err)
	}
	if len(releases) == 0 {
		return fail(w.Command("up"), "nothing is installed")
	}
	var bad []string
	for _, r := range releases {
		if !r.Deployed {
			bad = append(bad, r.Name+" ("+r.Why+")")
		}
	}
	if len(bad) > 0 {
		return fail(w.Command("up")+", which continues where it stopped", "%d of %s not deployed: %s", len(bad), count(len(releases), "release"), strings.Join(bad, ", "))
	}
	return pass("%s deployed", count(len(releases), "release"))
}

func podsReady(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Pods == nil {
		return noCluster(w)
	}
	pods, err := w.Cluster.Pods(ctx, "")
	if err != nil {
		return unanswered(w, "the pods", err)
	}
	if bad := unready(pods); len(bad) > 0 {
		return fail(logsOf(w, bad[0]), "%s", describe(bad, len(pods)))
	}
	return pass("%s ready", count(len(pods), "pod"))
}

func podRestarts(ctx context.Context, w World) Result {
	if w.Cluster == nil || w.Cluster.Pods == nil {
		return noCluster(w)
	}
	pods, err := w.Cluster.Pods(ctx, "")
	if err != nil {
		return unanswered(w, "the pods", err)
	}
	var worst telemetry.Pod
	for _, p := range pods {
		if p.Restarts > worst.Restarts {
			worst = p
		}
	}
	if worst.Restarts > calmRestarts {
		return warn(logsOf(w, worst), "pod %s has restarted %d times", worst.Name, worst.Restarts)
	}
	return pass("no pod has restarted more than %d times", calmRestarts)
}

// unready are the pods that should be ready: a job's pod that has done its work is not one.
func unready(pods []telemetry.Pod) []telemetry.Pod {
	var bad []telemetry.Pod
	for _, p := range pods {
		if !p.Ready && p.Phase != "Succeeded" {
			bad = append(bad, p)
		}
	}
	return bad
}
