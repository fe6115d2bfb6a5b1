//go:build e2e

package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// register records the acknowledged orders.
type register struct {
	mu     sync.Mutex
	orders map[string]orderv1.OrderState
}

func (r *register) add(o *orderv1.Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.orders == nil {
		r.orders = map[string]orderv1.OrderState{}
	}
	r.orders[o.GetOrderId()] = o.GetState()
}

func (r *register) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.orders)
}

// awaitMore waits until another order is acknowledged.
func (r *register) awaitMore(ctx context.Context, t *testing.T, when string) {
	t.Helper()
	before, start := r.count(), time.Now()
	err := pause.UntilWithin(ctx, 50*time.Millisecond, 2*time.Minute, func(context.Context) (bool, error) {
		return r.count() >= before+3, nil
	})
	if err != nil {
		t.Fatalf("%s no order was acknowledged for %s", when, time.Since(start).Round(time.Second))
	}
	t.Logf("an order was acknowledged %s %s", time.Since(start).Round(100*time.Millisecond), when)
}
