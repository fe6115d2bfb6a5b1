package doctor

import (
	"context"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

const cluster = "cluster"

// calmRestarts is the number of restarts of a pod that is not worth a warning.
const calmRestarts = 3

func clusterChecks() []Check {
	return []Check{
		{ID: "node-ready", Category: cluster, Run: nodeReady},
		{ID: "kube-system", Category: cluster, Run: kubeSystem},
		{ID: "releases-deployed", Category: cluster, Run: releasesDeployed},
		{ID: "pods-ready", Category: cluster, Run: podsReady},
		{ID: "pod-restarts", Category: cluster, Run: podRestarts},
	}
}

// noCluster is the result of a cluster check without a cluster.
func noCluster(w Host) Result {
	if w.Damage != nil {
		return skip("the sandbox cannot be opened")
	}
	return skipUntil(remedy.Command("up"), "no cluster")
}

func unanswered(what string, err error) Result {
	return fail(remedy.Advicef("%s; if the cluster is gone: %s", remedy.Command("status"), remedy.Command("up")), "%s cannot be read: %v", what, err)
}

// recreate replaces the cluster with a new one.
var recreate = remedy.Advicef("%s, then %s", remedy.Command("down"), remedy.Command("up"))

func nodeReady(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Nodes == nil {
		return noCluster(w)
	}
	nodes, err := w.Cluster.Nodes(ctx)
	if err != nil {
		return unanswered("the nodes", err)
	}
	if len(nodes) == 0 {
		return fail(recreate, "the cluster has no node")
	}
	for _, n := range nodes {
		if !n.Ready {
			return fail(remedy.Advicef("%s describe node %s; if it stays so: %s", w.kubectl(), n.Name, recreate), "node %s is not ready: %s", n.Name, n.Why)
		}
	}
	return pass("%s ready", count(len(nodes), "node"))
}

func kubeSystem(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Pods == nil {
		return noCluster(w)
	}
	pods, err := w.Cluster.Pods(ctx, "kube-system")
	if err != nil {
		return unanswered("the pods of kube-system", err)
	}
	if len(pods) == 0 {
		return fail(recreate, "kube-system has no pods")
	}
	if bad := unready(pods); len(bad) > 0 {
		return fail(remedy.Advice(w.kubectl()+" -n kube-system describe pod "+bad[0].Name), "%s", describe(bad, len(pods)))
	}
	return pass("%s of kube-system ready", count(len(pods), "pod"))
}

func releasesDeployed(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Releases == nil {
		return noCluster(w)
	}
	releases, err := w.Cluster.Releases(ctx)
	if err != nil {
		return unanswered("the releases", err)
	}
	if len(releases) == 0 {
		return fail(remedy.Command("up"), "nothing is installed")
	}
	var bad []string
	for _, r := range releases {
		if !r.Deployed {
			bad = append(bad, r.Name+" ("+r.Why+")")
		}
	}
	if len(bad) > 0 {
		return fail(remedy.Advicef("%s, which continues where it stopped", remedy.Command("up")),
			"%d of %s not deployed: %s", len(bad), count(len(releases), "release"), strings.Join(bad, ", "))
	}
	return pass("%s deployed", count(len(releases), "release"))
}

func podsReady(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Pods == nil {
		return noCluster(w)
	}
	pods, err := w.Cluster.Pods(ctx, "")
	if err != nil {
		return unanswered("the pods", err)
	}
	if bad := unready(pods); len(bad) > 0 {
		return fail(logsOf(w, bad[0]), "%s", describe(bad, len(pods)))
	}
	return pass("%s ready", count(len(pods), "pod"))
}

func podRestarts(ctx context.Context, w Host) Result {
	if w.Cluster == nil || w.Cluster.Pods == nil {
		return noCluster(w)
	}
	pods, err := w.Cluster.Pods(ctx, "")
	if err != nil {
		return unanswered("the pods", err)
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

// unready returns the pods that are not ready but should be. The completed pod of a job is not among them.
func unready(pods []telemetry.Pod) []telemetry.Pod {
	var bad []telemetry.Pod
	for _, p := range pods {
		if !p.Ready && p.Phase != "Succeeded" {
			bad = append(bad, p)
		}
	}
	return bad
}
