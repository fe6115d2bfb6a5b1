package order

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestContracts_ReplayedWhileSelling replays the contracts twice in a shop that sells, and checks that the books agree afterwards.
func TestContracts_ReplayedWhileSelling(t *testing.T) {
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	p := pgtest.Serve(t, "orderservice", s.orders(t), Register(s.cfg))
	client := orderv1.NewOrderServiceClient(p.Conn)
	s.wait(t, client)
	all, err := contracts.All()
	if err != nil {
		t.Fatal(err)
	}
	providers := map[string]*grpc.ClientConn{"userservice": s.conns["users"], "inventoryservice": s.conns["inventory"], "paymentservice": s.conns["payments"]}
	stop := sellUntil(t, client)
	defer stop()
	for range 2 {
		r := contracts.Replayer{Run: rand.Text(), ConfirmedOrder: contracts.NewOrder(p.Conn)}
		var skipped []string
		for _, c := range all {
			for _, i := range c.Interactions {
				result := r.Replay(t.Context(), providers[c.Provider], c, i)
				for _, b := range result.Breaches() {
					t.Error(b)
				}
				if result.Skipped != "" {
					skipped = append(skipped, i.Name)
				}
			}
		}
		if !slices.Equal(skipped, []string{"commit"}) {
			t.Errorf("skipped: %q", skipped)
		}
		if got, err := client.Audit(t.Context(), &orderv1.AuditRequest{}); err != nil || len(got.GetViolations()) == 0 {
			t.Errorf("the replays left nothing to clean up, so this test proves nothing: %v, %v", got, err)
		}
		for name, conn := range providers {
			if n, err := contracts.Cleanup(t.Context(), conn, name, r.Run); err != nil || (n == 0) != (name == "userservice") {
				t.Errorf("%s: cleaned up %d, %v", name, n, err)
			}
		}
		if got, err := client.Audit(t.Context(), &orderv1.AuditRequest{}); err != nil || len(got.GetViolations()) > 0 {
			t.Errorf("after the clean-up: %v, %v", got, err)
		}
	}
	stop()
	settled(t, client)
	page, err := client.ListOrders(t.Context(), &orderv1.ListOrdersRequest{UserId: "u-42"})
	if err != nil || len(page.GetOrders()) != 1 {
		t.Errorf("two replays placed %v, %v; want one order", page.GetOrders(), err)
	}
}

// sellUntil places orders until stop is called, which waits for the last one.
func sellUntil(t *testing.T, client orderv1.OrderServiceClient) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var selling sync.WaitGroup
	selling.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			if _, err := client.CreateOrder(t.Context(), &orderv1.CreateOrderRequest{UserId: "u-7", IdempotencyKey: fmt.Sprint(n),
				Lines: []*orderv1.OrderLine{{Sku: "sku-2", Quantity: 1}}}); err != nil {
				t.Error("placing an order:", err)
			}
		}
	})
	return func() {
		cancel()
		selling.Wait()
	}
}
