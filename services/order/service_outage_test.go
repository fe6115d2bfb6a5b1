package order

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestCreateOrder_DatabaseKilledUnderLoad checks that no acknowledged order is lost and that the books agree afterwards.
func TestCreateOrder_DatabaseKilledUnderLoad(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	shop := openShop(t, server, "shop")
	// If a worker could not even give up its lease, the order is taken over after this time.
	shop.cfg.Lease = time.Second
	client := shop.serve(t)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	// acknowledged has the order id by key.
	acknowledged := map[string]string{}
	failed := 0
	var buying sync.WaitGroup
	const buyers = 4
	for b := range buyers {
		buying.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("%d-%d", b, i)
				start := time.Now()
				got, err := client.CreateOrder(context.Background(), request(key, "sku-2", 1))
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("a caller waited %s", took)
				}
				mu.Lock()
				if err == nil {
					acknowledged[key] = got.GetOrder().GetOrderId()
				} else {
					failed++
				}
				mu.Unlock()
				switch status.Code(err) {
				case codes.OK, codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.DeadlineExceeded:
				default:
					t.Errorf("a caller got %v", err)
				}
				if err != nil {
					_ = pause.For(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	more := func(what string, of func() int) {
		t.Helper()
		mu.Lock()
		before := of()
		mu.Unlock()
		pgtest.Eventually(t, what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return of() >= before+2*buyers
		})
	}
	sold, refused := func() int { return len(acknowledged) }, func() int { return failed }
	for range 2 {
		more("orders succeed", sold)
		server.Kill()
		more("orders fail", refused)
		if err := server.Resume(t.Context()); err != nil {
			t.Error(err)
		}
	}
	more("orders succeed again", sold)
	stop()
	buying.Wait()
	audit := settled(t, client)
	for key, id := range acknowledged {
		got, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: id})
		if err != nil || got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED {
			t.Errorf("order %s of key %s was acknowledged; now %v, %v", id, key, got, err)
		}
	}
	t.Logf("%d acknowledged, %d failed, the audit reports %v", len(acknowledged), failed, audit)
	if len(acknowledged) == 0 || failed == 0 || audit.GetConfirmed() < int64(len(acknowledged)) {
		t.Errorf("%d acknowledged, %d failed, %d confirmed", len(acknowledged), failed, audit.GetConfirmed())
	}
}
