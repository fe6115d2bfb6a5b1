//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/bench"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

const (
	// benchPods is the number of pods that acknowledge a change, benchChanges the number of changes.
	benchPods    = 20
	benchChanges = 200
	// benchRate is the load during the measurements, in calls per second.
	benchRate = 300
)

// BenchmarkControl measures, on the cluster of the tests: the time from the answer of the API server to a change until 20 pods have acknowledged it; the time
// from an event in a process until a watcher on this machine has it; and how exactly the limit of a workload is kept.
func BenchmarkControl(b *testing.B) {
	ctx, c := b.Context(), open(b.Context(), b)
	conn, err := c.Control(ctx)
	if err != nil {
		b.Fatal(err)
	}
	objects := objectsOf(ctx, b, c)
	loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, b, c.Kube, "loadgen"))
	defer func() {
		fresh := context.WithoutCancel(ctx)
		if err := objects.Delete(fresh, target.TrafficPolicy, "bench"); err != nil {
			b.Error(err)
		}
		if err := c.Workloads.Scale(fresh, "userservice", 3); err != nil {
			b.Error(err)
		}
	}()
	// With its own request, the node has no room for so many pods. The cluster of the tests is removed afterwards.
	small := []byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/resources/requests/cpu","value":"5m"}]`)
	if _, err := c.Kube.Kube.AppsV1().Deployments(charts.ShopNamespace).Patch(ctx, "userservice", types.JSONPatchType, small, metav1.PatchOptions{}); err != nil {
		b.Fatal(err)
	}
	var table string
	var limits bench.Limits
	for b.Loop() {
		limits = bench.Limits{}
		table = "| measured | p50 | p99 | limit of p99 |\n|---|---|---|---|\n"
		scaleTo(ctx, b, c, benchPods)
		startBenchLoad(ctx, b, loads, benchRate)
		events := watchEvents(ctx, b, telemetryv1.NewEventsClient(conn))
		pushed := pushes(ctx, b, c, controlv1.NewPoliciesClient(conn))
		seen := events()
		stopBenchLoad(ctx, b, loads)
		table += row(b, &limits, fmt.Sprintf("a change, from the API server's answer until %d pods have acknowledged it, over %d changes", benchPods, benchChanges), "push", pushed, time.Second)
		table += row(b, &limits, fmt.Sprintf("an event, from its time in the process until a watcher on the host has it, under %d calls/s, over %d events", benchRate, len(seen)), "event", seen, 250*time.Millisecond)
		scaleTo(ctx, b, c, 3)
		table += "\n" + deviation(ctx, b, &limits, c, objects, loads)
	}
	table += "\n" + bench.YardstickLine(b)
	b.ReportMetric(0, "ns/op")
	b.Log("\n" + table)
	if err := bench.Write("../../services/control/README.md", "control", "control", table); err != nil {
		b.Fatal(err)
	}
	for _, missed := range limits.Missed {
		b.Error(missed)
	}
}

func scaleTo(ctx context.Context, b *testing.B, c *live.Cluster, replicas int) {
	b.Helper()
	if err := c.Workloads.Scale(ctx, "userservice", replicas); err != nil {
		b.Fatal(err)
	}
	await(ctx, b, fmt.Sprintf("%d pods of userservice", replicas), func(ctx context.Context) (bool, error) {
		pods, err := c.Workloads.Pods(ctx, "userservice")
		return len(pods) == replicas && target.CountReady(pods) == replicas, err
	})
}

func startBenchLoad(ctx context.Context, b *testing.B, loads loadgenv1.LoadGeneratorClient, rate float64) {
	b.Helper()
	if _, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: "bench", Target: "userservice", Method: "user.v1.UserService/GetUser",
		RequestJson: `{"userId":"u-{{ n 1 1000 }}"}`, Rate: rate, Seed: 1}); err != nil {
		b.Fatal(err)
	}
}

func stopBenchLoad(ctx context.Context, b *testing.B, loads loadgenv1.LoadGeneratorClient) {
	b.Helper()
	if _, err := loads.StopLoad(context.WithoutCancel(ctx), &loadgenv1.StopLoadRequest{Name: "bench"}); err != nil {
		b.Error(err)
	}
}

// pushes changes a policy again and again, and measures each time until every pod of userservice has acknowledged the change.
func pushes(ctx context.Context, b *testing.B, c *live.Cluster, rpc controlv1.PoliciesClient) (took []time.Duration) {
	b.Helper()
	policies := c.Kube.Dynamic.Resource(api.GroupVersion.WithResource("trafficpolicies")).Namespace(charts.ShopNamespace)
	spec := func(n int) string {
		return ofUserservice(fmt.Sprintf(`"methods":[{"bulkhead":{"maxConcurrent":%d}}]`, 500+n))
	}
	if _, err := policies.Create(ctx, object(b, "TrafficPolicy", "bench", spec(0)), metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	versions := map[string]bool{}
	acknowledged := func() (version string, n int) {
		all, err := rpc.Subscribers(ctx, &controlv1.SubscribersRequest{Namespace: charts.ShopNamespace, Kind: "TrafficPolicy", Name: "bench"})
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range all.GetSubscribers() {
			if s.GetSentVersion() == s.GetAcknowledgedVersion() && !versions[s.GetAcknowledgedVersion()] {
				version, n = s.GetAcknowledgedVersion(), n+1
			}
		}
		return version, n
	}
	for n := range benchChanges + 1 {
		patch := fmt.Appendf(nil, `{"spec":%s}`, spec(n))
		if _, err := policies.Patch(ctx, "bench", "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
			b.Fatal(err)
		}
		answered := time.Now()
		for {
			version, count := acknowledged()
			if count >= benchPods {
				versions[version] = true
				break
			}
			if time.Since(answered) > time.Minute {
				b.Fatalf("change %d: after a minute %d of %d pods have acknowledged it", n, count, benchPods)
			}
			// Without a pause, the questions would be the load of the control plane that is measured.
			if err := pause.For(ctx, 5*time.Millisecond); err != nil {
				b.Fatal(err)
			}
		}
		if n > 0 {
			// The first change creates the policy.
			took = append(took, time.Since(answered))
		}
	}
	return took
}

// watchEvents collects how long each event took to reach this machine, until the returned function is called. The node has the clock of this machine.
func watchEvents(ctx context.Context, b *testing.B, rpc telemetryv1.EventsClient) (stop func() []time.Duration) {
	b.Helper()
	ctx, cancel := context.WithCancel(ctx)
	stream, err := rpc.Watch(ctx, &telemetryv1.WatchRequest{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	var done sync.WaitGroup
	done.Go(func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				return
			}
			// What the control plane itself sees at the API server has not come from a process.
			if e.GetBoot() != "" {
				took = append(took, time.Since(e.GetTime().AsTime()))
			}
		}
	})
	return func() []time.Duration { cancel(); done.Wait(); return took }
}

// deviation measures windows of 10 s under a limit of 50 of 200 calls/s, from 2 s after its start, and again from 2 s after a pod was killed.
func deviation(ctx context.Context, b *testing.B, limits *bench.Limits, c *live.Cluster, objects target.Objects, loads loadgenv1.LoadGeneratorClient) string {
	b.Helper()
	if err := objects.Put(ctx, target.Object{Kind: target.TrafficPolicy, Name: "bench", Spec: ofUserservice(`"maxRequestsPerSecond":50`)}); err != nil {
		b.Fatal(err)
	}
	startBenchLoad(ctx, b, loads, 200)
	defer stopBenchLoad(ctx, b, loads)
	// Each order looks up its user, and the limit counts that, too.
	if _, err := loads.SetRate(ctx, &loadgenv1.SetRateRequest{Name: target.BackgroundOrders, Rate: 0}); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if _, err := loads.SetRate(context.WithoutCancel(ctx), &loadgenv1.SetRateRequest{Name: target.BackgroundOrders, Rate: 5}); err != nil {
			b.Error(err)
		}
	}()
	worst := 0.0
	windows := func(n int) (rates string) {
		_ = answeredIn(ctx, b, loads, 2*time.Second, "bench", target.Background)
		for range n {
			rate := answeredIn(ctx, b, loads, 10*time.Second, "bench", target.Background)
			worst = max(worst, math.Abs(rate-50)/50*100)
			rates += fmt.Sprintf(" %.2f", rate)
		}
		return rates
	}
	before := windows(6)
	pods, err := c.Workloads.Pods(ctx, "userservice")
	if err != nil || len(pods) == 0 {
		b.Fatalf("pods %v, %v", pods, err)
	}
	if err := c.Workloads.Kill(ctx, pods[0].Name, 0); err != nil {
		b.Fatal(err)
	}
	after := windows(3)
	b.ReportMetric(worst, "deviation-%")
	return fmt.Sprintf("A limit of 50 calls/s on three replicas, under 200 calls/s: admitted in windows of 10 s, from 2 s after the start:%s; from 2 s after a pod was killed:%s. "+
		"The largest deviation is %.1f %% (limit %s).\n", before, after, worst, limits.Check("the deviation from 50 calls/s", worst, 2, "%"))
}

func row(b *testing.B, limits *bench.Limits, what, metric string, took []time.Duration, limit time.Duration) string {
	b.Helper()
	if len(took) == 0 {
		b.Fatalf("nothing was measured: %s", what)
	}
	row, p50, p99 := limits.Row(what, took, limit)
	b.ReportMetric(p50, metric+"-p50-ms")
	b.ReportMetric(p99, metric+"-p99-ms")
	return row
}
