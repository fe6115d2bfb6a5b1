//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// open connects to the shared sandbox until the test ends.
func open(ctx context.Context, t testing.TB) *live.Cluster {
	t.Helper()
	folders := sandbox.Folders{Config: filepath.Dir(filepath.Dir(shared.GetKubeconfig()))}
	c, err := live.Open(ctx, folders, shared.name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func objectsOf(ctx context.Context, t testing.TB, c *live.Cluster) target.Objects {
	t.Helper()
	all, err := c.Target(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return all.Objects
}

// ofUserservice is the specification of an object for userservice, with more fields as JSON.
func ofUserservice(more string) string {
	return `{"selector":{"matchLabels":{"app.kubernetes.io/name":"userservice"}},` + more + `}`
}

// answeredIn returns how many calls of the loads were answered between two readings that are at least a time apart, and their rate.
func answeredIn(ctx context.Context, t testing.TB, loads loadgenv1.LoadGeneratorClient, window time.Duration, names ...string) float64 {
	t.Helper()
	read := func() (n int64, at time.Time) {
		for _, name := range names {
			s, err := loads.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			n, at = n+s.GetOk(), s.GetReadAt().AsTime()
		}
		return n, at
	}
	first, from := read()
	rate := 0.0
	await(ctx, t, fmt.Sprintf("%s of load", window), func(context.Context) (bool, error) {
		now, at := read()
		rate = float64(now-first) / at.Sub(from).Seconds()
		return at.Sub(from) >= window, nil
	})
	return rate
}

// TestPolicy_LimitOfTheWholeWorkload: the limit is divided among the pods, and again after one of them was killed. The machines of tests stall, so
// the bounds are wide; `task bench:control` measures the deviation.
func TestPolicy_LimitOfTheWholeWorkload(t *testing.T) {
	feature(t, "50 calls/s of 200 are admitted by three replicas", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		objects := objectsOf(ctx, t, c)
		loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c.Kube, "loadgen"))
		if err := objects.Put(ctx, target.Object{Kind: target.TrafficPolicy, Name: "limit", Spec: ofUserservice(`"maxRequestsPerSecond":50`)}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := objects.Delete(context.WithoutCancel(ctx), target.TrafficPolicy, "limit"); err != nil {
				t.Error(err)
			}
		}()
		if _, err := loads.StartLoad(ctx, &loadgenv1.StartLoadRequest{Name: "limited", Target: "userservice",
			Method: "user.v1.UserService/GetUser", RequestJson: `{"userId":"u-{{ n 1 1000 }}"}`, Rate: 200, Seed: 1}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := loads.StopLoad(context.WithoutCancel(ctx), &loadgenv1.StopLoadRequest{Name: "limited"}); err != nil {
				t.Error(err)
			}
		}()
		check := func(when string) {
			_ = answeredIn(ctx, t, loads, 2*time.Second, "limited", target.Background)
			rate := answeredIn(ctx, t, loads, 10*time.Second, "limited", target.Background)
			t.Logf("%s: %.1f calls/s were admitted", when, rate)
			if rate < 45 || rate > 55 {
				t.Errorf("%s: %.1f calls/s were admitted, want 50", when, rate)
			}
		}
		check("with three replicas")
		pods, err := c.Workloads.Pods(ctx, "userservice")
		if err != nil || len(pods) != 3 {
			t.Fatalf("pods %v, %v", pods, err)
		}
		if err := c.Workloads.Kill(ctx, pods[0].Name, 0); err != nil {
			t.Fatal(err)
		}
		check("from 2 s after one was killed")
	})
}

// TestFault_LeaseEnds creates a fault whose lease is never renewed.
func TestFault_LeaseEnds(t *testing.T) {
	feature(t, "a fault without renewal", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		faults := c.Kube.Dynamic.Resource(api.GroupVersion.WithResource("faults")).Namespace(charts.ShopNamespace)
		fault := object(t, "Fault", "orphan", ofUserservice(`"delay":{"fixed":"1ms"},"leaseSeconds":5`))
		if _, err := faults.Create(ctx, fault, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		phases := map[string]bool{}
		await(ctx, t, "the fault has ended and is deleted", func(ctx context.Context) (bool, error) {
			got, err := faults.Get(ctx, "orphan", metav1.GetOptions{})
			if err != nil {
				return strings.Contains(err.Error(), "not found"), nil
			}
			phase, _, _ := unstructured.NestedString(got.Object, "status", "phase")
			phases[phase] = true
			return false, nil
		})
		if !phases[api.FaultActive] {
			t.Errorf("the fault was never active: %v", phases)
		}
	})
}

// TestControl_KilledDuringAPush: no call fails, and the push completes, after the restart of the only replica or at the other one.
func TestControl_KilledDuringAPush(t *testing.T) {
	for _, replicas := range []int{1, 2} {
		feature(t, fmt.Sprintf("one of %d replicas of control killed during a push", replicas), func(ctx context.Context, t *testing.T) {
			c := open(ctx, t)
			objects := objectsOf(ctx, t, c)
			loads := loadgenv1.NewLoadGeneratorClient(dialService(ctx, t, c.Kube, "loadgen"))
			system := kube.Workloads{Client: c.Kube, Namespace: charts.SystemNamespace}
			scale := func(ctx context.Context, n int) {
				if err := system.Scale(ctx, charts.Control, n); err != nil {
					t.Fatal(err)
				}
				await(ctx, t, fmt.Sprintf("%d replicas of control", n), func(ctx context.Context) (bool, error) {
					pods, err := system.Pods(ctx, charts.Control)
					return len(pods) == n && target.CountReady(pods) == n, err
				})
			}
			scale(ctx, replicas)
			defer func() {
				fresh := context.WithoutCancel(ctx)
				if err := objects.Delete(fresh, target.TrafficPolicy, "pushed"); err != nil {
					t.Error(err)
				}
				scale(fresh, 1)
			}()
			underLoad(ctx, t, loads, "during-a-push", 200, func() {
				policies := c.Kube.Dynamic.Resource(api.GroupVersion.WithResource("trafficpolicies")).Namespace(charts.ShopNamespace)
				if _, err := policies.Create(ctx, object(t, "TrafficPolicy", "pushed", ofUserservice(`"methods":[{"bulkhead":{"maxConcurrent":500}}]`)), metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				killOne(ctx, t, system, charts.Control)
				if err := objects.Put(ctx, target.Object{Kind: target.TrafficPolicy, Name: "pushed", Spec: ofUserservice(`"methods":[{"bulkhead":{"maxConcurrent":400}}]`)}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestControl_APIServerKilled: no call fails while the API server is away, and a change that is made after its return reaches every process.
func TestControl_APIServerKilled(t *testing.T) {
	feature(t, "the API server killed under load", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		objects := objectsOf(ctx, t, c)
		// This connection is made again: the API server carries it.
		conn, err := c.Dial(ctx, charts.LoadGenerator)
		if err != nil {
			t.Fatal(err)
		}
		loads := loadgenv1.NewLoadGeneratorClient(conn)
		put := func(ctx context.Context, most int) error {
			return objects.Put(ctx, target.Object{Kind: target.TrafficPolicy, Name: "kept", Spec: ofUserservice(fmt.Sprintf(`"methods":[{"bulkhead":{"maxConcurrent":%d}}]`, most))})
		}
		if err := put(ctx, 500); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := objects.Delete(context.WithoutCancel(ctx), target.TrafficPolicy, "kept"); err != nil {
				t.Error(err)
			}
		}()
		underLoad(ctx, t, loads, "without-an-api-server", 200, func() {
			killed := time.Now()
			if out, err := exec.CommandContext(ctx, engineOfTheTest(ctx, t), "exec", shared.name+"-control-plane", "pkill", "-KILL", "kube-apiserver").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			await(ctx, t, "the API server and the load generator answer", func(ctx context.Context) (bool, error) {
				if _, err := c.Kube.Kube.Discovery().ServerVersion(); err != nil {
					return false, nil //nolint:nilerr // it is not back yet
				}
				_, err := loads.GetLoad(ctx, &loadgenv1.GetLoadRequest{Name: "without-an-api-server"})
				return err == nil, nil
			})
			t.Logf("away for %s", time.Since(killed).Round(time.Millisecond))
			if err := put(ctx, 400); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestPolicy_BadValues gives bad values to the API server and to the reader, and compares the fields that they name.
func TestPolicy_BadValues(t *testing.T) {
	feature(t, "admission", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		policies := c.Kube.Dynamic.Resource(api.GroupVersion.WithResource("trafficpolicies")).Namespace(charts.ShopNamespace)
		for _, more := range []string{
			`"maxRequestsPerSecond":0`,
			`"methods":[{"deadline":{"timeout":"0s"}}]`,
			`"methods":[{"deadline":{"none":true,"timeout":"1s"}}]`,
			`"methods":[{},{"retry":{"idempotent":false,"maxAttempts":3}}]`,
			`"methods":[{"retry":{"idempotent":true,"maxAttempts":9}}]`,
			`"methods":[{"breaker":{"failureRatio":2}}]`,
			`"methods":[{"method":"nothing"}]`,
			`"methods":[{"callers":{"allow":[""]}}]`,
			`"methods":[{"rate":{"limits":[{"limit":{}}]}}]`,
			`"outlierEjection":{"maxEjectionPercent":0}`,
			`"retryBudget":{"maxTokens":0}`,
			`"shed":{"minLimit":0}`,
			`"tuning":{"maxMetadataBytes":1}`,
		} {
			spec := &policyv1.TrafficPolicySpec{}
			if _, err := policy.Decode([]byte(ofUserservice(more)), spec); err != nil {
				t.Fatal(err)
			}
			problems := policy.Check(spec)
			_, err := policies.Create(ctx, object(t, "TrafficPolicy", "bad", ofUserservice(more)), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			var status interface{ Status() metav1.Status }
			if !errors.As(err, &status) || len(problems) != 1 {
				t.Errorf("%s: the API server says %v, the reader %v", more, err, problems)
				continue
			}
			want, found := "spec."+problems[0].Field, false
			for _, cause := range status.Status().Details.Causes {
				found = found || cause.Field == want
			}
			if !found {
				t.Errorf("%s: the API server names %+v, the reader %s", more, status.Status().Details.Causes, want)
			}
		}
	})
}

func object(t testing.TB, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q},"spec":%s}`, api.GroupVersion.String(), kind, name, spec)
	if err := u.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return u
}
