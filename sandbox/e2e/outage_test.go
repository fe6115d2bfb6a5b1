//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

const (
	// databaseAway is the minimum duration of the outage. A failing liveness probe would restart the pods of the shop within that time.
	databaseAway = 30 * time.Second
	// patience is the deadline of a call. orderservice answers within 4 s, or 8 s if it must undo something.
	patience = 10 * time.Second
)

// needDatabase are the services whose readiness follows the database.
var needDatabase = []string{"orderservice", "inventoryservice", "paymentservice"}

func TestShop_DatabaseOutage(t *testing.T) {
	feature(t, "PostgreSQL killed mid-transaction and unavailable for 30 s", func(ctx context.Context, t *testing.T) {
		s := openShop(ctx, t)
		workloads := kube.Workloads{Client: s.client, Namespace: charts.ShopNamespace}
		// hotline is connected to one pod, whether or not it is ready.
		hotline := orderv1.NewOrderServiceClient(dialService(ctx, t, s.client, "orderservice"))
		restarts := restartsOf(ctx, t, workloads)
		till, closing := s.keepSelling(ctx, t)
		till.awaitMore(ctx, t, "before the database was killed")

		back := takeAway(ctx, t, workloads, "postgres")
		defer back()
		gone := time.Now()
		answered := make(chan answers, 1)
		outage, over := context.WithCancel(ctx)
		defer over()
		go func() { answered <- ask(outage, hotline, till) }()
		for _, service := range needDatabase {
			await(ctx, t, service+" is not ready and has no endpoints", func(ctx context.Context) (bool, error) {
				ready, endpoints, err := serving(ctx, workloads, service)
				return ready == 0 && endpoints == 0, err
			})
		}
		await(ctx, t, "half a minute has passed", func(context.Context) (bool, error) { return time.Since(gone) >= databaseAway, nil })
		over()
		got := <-answered
		t.Logf("while the database was away for %s: %s", time.Since(gone).Round(time.Second), got)
		got.check(t)

		back()
		for _, service := range needDatabase {
			await(ctx, t, service+" is ready again and has endpoints", func(ctx context.Context) (bool, error) {
				replicas, err := workloads.Replicas(ctx, service)
				if err != nil {
					return false, err
				}
				ready, endpoints, err := serving(ctx, workloads, service)
				return ready == replicas && endpoints == 2*replicas, err
			})
		}
		till.awaitMore(ctx, t, "after the database came back")
		closing()
		checkBooks(ctx, t, s, till.orders)
		if now := restartsOf(ctx, t, workloads); now != restarts {
			t.Errorf("containers of the shop were restarted %d times, which does not help against a database outage", now-restarts)
		}
	})
}

// takeAway scales a release to 0 and kills its pods without a grace period. back restores the number of replicas and is idempotent.
func takeAway(ctx context.Context, t *testing.T, w kube.Workloads, release string) (back func()) {
	t.Helper()
	replicas, err := w.Replicas(ctx, release)
	if err != nil {
		t.Fatal(err)
	}
	pods, err := w.Pods(ctx, release)
	if err != nil || len(pods) == 0 {
		t.Fatalf("pods of %s: %v, %v", release, pods, err)
	}
	back = func() {
		if err := w.Scale(context.WithoutCancel(ctx), release, replicas); err != nil {
			t.Error(err)
		}
	}
	if err := w.Scale(ctx, release, 0); err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		if err := w.Kill(ctx, p.Name, 0); err != nil {
			back()
			t.Fatal(err)
		}
	}
	return back
}

// killOne kills a pod of a release without a grace period and waits until all its pods are ready again.
func killOne(ctx context.Context, t *testing.T, w kube.Workloads, release string) {
	t.Helper()
	before, err := w.Pods(ctx, release)
	if err != nil || len(before) == 0 {
		t.Fatalf("pods of %s: %v, %v", release, before, err)
	}
	if err := w.Kill(ctx, before[0].Name, 0); err != nil {
		t.Fatal(err)
	}
	err = pause.UntilWithin(ctx, 200*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
		now, err := w.Pods(ctx, release)
		ready := 0
		for _, p := range now {
			if p.Ready && p.Name != before[0].Name {
				ready++
			}
		}
		return ready >= len(before), err
	})
	if err != nil {
		t.Fatalf("%s did not come back: %v", release, err)
	}
}

// answers counts the results of calls.
type answers struct {
	confirmed, refused int
	wrong              []string
}

func (a answers) String() string {
	return fmt.Sprintf("%d orders confirmed, %d refused, %d answered wrongly", a.confirmed, a.refused, len(a.wrong))
}

func (a answers) check(t *testing.T) {
	t.Helper()
	for _, w := range a.wrong {
		t.Error("during the outage a caller got", w)
	}
	if a.refused == 0 {
		t.Error("no call was refused during the outage")
	}
}

// ask places one order after the other until ctx ends, without retries.
func ask(ctx context.Context, orders orderv1.OrderServiceClient, to *register) (a answers) {
	for ctx.Err() == nil {
		a.add(ctx, orders, to)
		_ = pause.For(ctx, 100*time.Millisecond)
	}
	return a
}

// add places one order. Within the caller's deadline orderservice must return UNAVAILABLE with a reason or, for an order in progress, report that
// its own deadline has expired.
func (a *answers) add(ctx context.Context, orders orderv1.OrderServiceClient, to *register) {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	got, err := orders.CreateOrder(call, &orderv1.CreateOrderRequest{UserId: "u-8", Lines: []*orderv1.OrderLine{{Sku: "sku-4", Quantity: 1}}})
	switch code := status.Code(err); {
	case err == nil:
		// The order was placed before the kill or after the recovery.
		a.confirmed++
		to.add(got.GetOrder())
	case call.Err() != nil:
		a.wrong = append(a.wrong, fmt.Sprintf("no answer in %s", patience))
	case code == codes.Unavailable && refusal.Reason(err) != "", code == codes.DeadlineExceeded:
		a.refused++
	default:
		a.wrong = append(a.wrong, err.Error())
	}
}

// serving counts the ready pods of a release, and the ready endpoints of its two services.
func serving(ctx context.Context, w kube.Workloads, release string) (pods, endpoints int, err error) {
	all, err := w.Pods(ctx, release)
	if err != nil {
		return 0, 0, err
	}
	for _, p := range all {
		if p.Ready {
			pods++
		}
	}
	for _, service := range []string{release, release + "-headless"} {
		slices, err := w.Client.Kube.DiscoveryV1().EndpointSlices(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
		if err != nil {
			return 0, 0, fmt.Errorf("listing the endpoints of %s: %w", service, err)
		}
		for _, slice := range slices.Items {
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					endpoints += len(e.Addresses)
				}
			}
		}
	}
	return pods, endpoints, nil
}

// restartsOf counts how often containers of the services were restarted in their pods.
func restartsOf(ctx context.Context, t *testing.T, w kube.Workloads) (n int) {
	t.Helper()
	for _, service := range append([]string{"userservice"}, needDatabase...) {
		pods, err := w.Pods(ctx, service)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pods {
			n += int(p.Restarts)
		}
	}
	return n
}

// await waits until a condition is true.
func await(ctx context.Context, t testing.TB, what string, holds func(context.Context) (bool, error)) {
	t.Helper()
	if err := pause.UntilWithin(ctx, 200*time.Millisecond, 2*time.Minute, holds); err != nil {
		t.Fatalf("never came true: %s: %v", what, err)
	}
}
