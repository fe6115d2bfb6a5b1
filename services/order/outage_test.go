package order

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestTheDatabaseIsKilledUnderLoad: nothing acknowledged is lost, and all agrees afterwards.
func TestTheDatabaseIsKilledUnderLoad(t *testing.T) {
	server := pgtest.Start(t)
	client := openShop(t, server, "shop").serve(t)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	acknowledged := map[string]string{} // order by key
	failed := 0
	var buying sync.WaitGroup
	for b := range 4 {
		buying.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("%d-%d", b, i)
				begun := time.Now()
				got, err := client.CreateOrder(context.Background(), request(key, "sku-2", 1))
				if took := time.Since(begun); took > 30*time.Second {
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
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	for range 2 {
		time.Sleep(time.Second)
		server.Kill()
		time.Sleep(300 * time.Millisecond)
		if err := server.Resume(t.Context()); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(time.Second)
	stop()
	buying.Wait()
	audit := settled(t, client)
	for key, id := range acknowledged {
		got, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: id})
		if err != nil || got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED {
			t.Errorf("order %s of key %s was acknowledged and is %v, %v", id, key, got, err)
		}
	}
	t.Logf("%d acknowledged, %d failed, the audit says %v", len(acknowledged), failed, audit)
	if len(acknowledged) == 0 || failed == 0 || audit.GetConfirmed() < int64(len(acknowledged)) {
		t.Errorf("%d acknowledged, %d failed, %d confirmed", len(acknowledged), failed, audit.GetConfirmed())
	}
}
