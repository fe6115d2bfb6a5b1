//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// shop calls OrderService over a port-forward that is opened again when its pod dies.
type shop struct {
	client *kube.Client
	creds  credentials.TransportCredentials

	mu    sync.Mutex
	conn  *grpc.ClientConn
	close []func()
}

func openShop(ctx context.Context, t *testing.T) *shop {
	t.Helper()
	c := connect(t)
	s := &shop{client: c, creds: credentials.NewTLS(identity(ctx, t, c, "orderservice"))}
	t.Cleanup(func() {
		for _, c := range s.close {
			c()
		}
	})
	return s
}

func (s *shop) orders(ctx context.Context) (orderv1.OrderServiceClient, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		f, err := s.client.Forward(ctx, charts.ShopNamespace, "orderservice", 8443)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, f.Close)
		s.conn, err = grpc.NewClient("passthrough:///"+f.Address, grpc.WithTransportCredentials(s.creds), grpc.WithNoProxy())
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, closing(s.conn))
	}
	return orderv1.NewOrderServiceClient(s.conn), nil
}

func closing(c *grpc.ClientConn) func() { return func() { _ = c.Close() } }

// lost closes a connection that did not answer, so that the next call opens a new one.
func (s *shop) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
}

// buy places one order and retries with the same idempotency key until the order is acknowledged.
func (s *shop) buy(ctx context.Context, key string) (*orderv1.Order, error) {
	var order *orderv1.Order
	err := pause.UntilWithin(ctx, 200*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
		orders, err := s.orders(ctx)
		if err != nil {
			// No pod is ready yet.
			return false, nil
		}
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		got, err := orders.CreateOrder(call, &orderv1.CreateOrderRequest{UserId: "u-7", IdempotencyKey: key,
			Lines: []*orderv1.OrderLine{{Sku: "sku-3", Quantity: 2}}})
		switch status.Code(err) {
		case codes.OK:
			order = got.GetOrder()
			return true, nil
		case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.Unimplemented, codes.Unknown, codes.Internal:
			// A killed pod does not answer.
			return false, err
		}
		s.lost()
		return false, nil
	})
	return order, err
}

func TestShop_ConsistentAfterKilledPods(t *testing.T) {
	feature(t, "kill -9 of every part of the shop while orders are placed", func(ctx context.Context, t *testing.T) {
		s := openShop(ctx, t)
		till, closing := s.keepSelling(ctx, t)
		workloads := kube.Workloads{Client: s.client, Namespace: charts.ShopNamespace}
		till.awaitMore(ctx, t, "before anything was killed")
		for _, victim := range []string{"orderservice", "inventoryservice", "paymentservice", "postgres", "userservice"} {
			killOne(ctx, t, workloads, victim)
			till.awaitMore(ctx, t, "after the kill of "+victim)
		}
		closing()
		checkBooks(ctx, t, s, till.orders)
	})
}

// keepSelling places orders in the background until closing is called or the test ends. closing fails the test if an order could not be placed.
func (s *shop) keepSelling(ctx context.Context, t *testing.T) (till *register, closing func()) {
	t.Helper()
	stopped, sold := make(chan struct{}), make(chan error, 1)
	till = &register{}
	go func() {
		var sellers errgroup.Group
		for seller := range 4 {
			sellers.Go(func() error { return s.sell(ctx, seller, stopped, till) })
		}
		sold <- sellers.Wait()
	}()
	closing = sync.OnceFunc(func() {
		close(stopped)
		if err := <-sold; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(closing)
	return till, closing
}

// sell places one order after the other until stopped is closed, each until it is acknowledged.
func (s *shop) sell(ctx context.Context, seller int, stopped <-chan struct{}, to *register) error {
	run := time.Now().UnixNano()
	for i := 0; ; i++ {
		order, err := s.buy(ctx, fmt.Sprintf("e2e-%d-%d-%d", run, seller, i))
		if err != nil {
			return fmt.Errorf("order %d: %w", i, err)
		}
		to.add(order)
		select {
		case <-stopped:
			return nil
		default:
		}
	}
}

func (s *shop) audit(ctx context.Context) (*orderv1.AuditResponse, error) {
	orders, err := s.orders(ctx)
	if err != nil {
		return nil, err
	}
	return orders.Audit(ctx, &orderv1.AuditRequest{})
}

// checkBooks waits until nothing is in flight, and compares orders, stock and payments.
func checkBooks(ctx context.Context, t *testing.T, s *shop, acknowledged map[string]orderv1.OrderState) {
	t.Helper()
	var audit *orderv1.AuditResponse
	err := pause.UntilWithin(ctx, time.Second, 2*time.Minute, func(ctx context.Context) (bool, error) {
		var err error
		if audit, err = s.audit(ctx); err != nil {
			s.lost()
		}
		return err == nil && audit.GetInFlight() == 0, nil
	})
	if err != nil {
		t.Fatalf("orders stay in flight: %v, %v", audit, err)
	}
	if !audit.GetConsistent() || audit.GetOrderedCents() != audit.GetChargedCents() {
		t.Errorf("orders, stock and payments do not agree: %v", audit)
	}
	orders, err := s.orders(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id, state := range acknowledged {
		got, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: id})
		if now := got.GetOrder().GetState(); err != nil || now != orderv1.OrderState_ORDER_STATE_CONFIRMED {
			t.Errorf("order %s was acknowledged as %s and is now %s, %v", id, state, now, err)
		}
	}
	t.Logf("%d orders acknowledged; %v", len(acknowledged), audit)
}

func TestShop_OrderInOneTrace(t *testing.T) {
	feature(t, "every hop and every query of CreateOrder in one trace", func(ctx context.Context, t *testing.T) {
		s := openShop(ctx, t)
		jaeger := observe.NewJaeger(charts.TraceStore, "http://"+forward(ctx, t, s.client, charts.SystemNamespace, charts.TraceStore, 16686), http.DefaultClient)
		id := fmt.Sprintf("%032x", time.Now().UnixNano())
		traced := metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+id+"-00000000000000aa-01")
		if _, err := s.buy(traced, "trace-"+id); err != nil {
			t.Fatal(err)
		}
		var missing []string
		var asked error
		err := pause.UntilWithin(ctx, time.Second, time.Minute, func(ctx context.Context) (bool, error) {
			var trace observe.Trace
			trace, asked = jaeger.Trace(ctx, id)
			missing = lacks(trace)
			// Each service exports its spans by itself, so they arrive at different times.
			return len(missing) == 0, nil
		})
		if err != nil {
			t.Errorf("the trace of an order lacks %v; %v", missing, asked)
		}
	})
}

// lacks lists the spans that are missing in a trace of CreateOrder.
func lacks(trace observe.Trace) []string {
	var missing []string
	for _, want := range []struct{ service, operation string }{
		{"orderservice", "CreateOrder"}, {"userservice", "GetUser"}, {"inventoryservice", "Reserve"}, {"paymentservice", "Charge"},
		{"inventoryservice", "Commit"}, {"orderservice", "INSERT"}, {"orderservice", "UPDATE"}, {"inventoryservice", "WITH"}, {"paymentservice", "INSERT"},
	} {
		found := false
		for _, s := range trace.Spans {
			found = found || s.Service == want.service && strings.Contains(s.Operation, want.operation)
		}
		if !found {
			missing = append(missing, want.service+" "+want.operation)
		}
	}
	return missing
}

func TestShop_OnlyOrderServiceChangesStockAndPayments(t *testing.T) {
	feature(t, "callers by identity", func(ctx context.Context, t *testing.T) {
		c := connect(t)
		for _, caller := range []struct {
			name string
			may  bool
		}{{"orderservice", true}, {"userservice", false}, {"loadgen", false}} {
			as := func(release string) *grpc.ClientConn {
				config, err := c.Identity(ctx, charts.ShopNamespace, caller.name+"-tls")
				if err != nil {
					t.Fatal(err)
				}
				config.ServerName = release + "." + charts.ShopNamespace + ".svc"
				return dial(t, forward(ctx, t, c, charts.ShopNamespace, release, 8443), credentials.NewTLS(config))
			}
			stock, money := inventoryv1.NewInventoryServiceClient(as("inventoryservice")), paymentv1.NewPaymentServiceClient(as("paymentservice"))
			// Calls of allowed callers fail for another reason or change nothing.
			calls := map[string]func() error{
				"GetStock": func() error {
					_, err := stock.GetStock(ctx, &inventoryv1.GetStockRequest{Sku: "sku-3"})
					return err
				},
				"Reserve": func() error {
					_, err := stock.Reserve(ctx, &inventoryv1.ReserveRequest{OrderId: "e2e-nobody"})
					return err
				},
				"Commit": func() error {
					_, err := stock.Commit(ctx, &inventoryv1.CommitRequest{OrderId: "e2e-nobody"})
					return err
				},
				"Charge": func() error {
					_, err := money.Charge(ctx, &paymentv1.ChargeRequest{OrderId: "e2e-nobody"})
					return err
				},
			}
			for name, call := range calls {
				if err := call(); (status.Code(err) != codes.PermissionDenied) != caller.may || status.Code(err) == codes.Unavailable {
					t.Errorf("%s calls %s: %v", caller.name, name, err)
				}
			}
		}
	})
}
