package order

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// BenchmarkCreateOrder runs all four services in one process, connected over TCP, with a real database that does not wait for its disk.
func BenchmarkCreateOrder(b *testing.B) {
	server := pgtest.Shared(b)
	client := openShop(b, server, server.Database(b)).serve(b)
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			_, err := client.CreateOrder(b.Context(), &orderv1.CreateOrderRequest{UserId: fmt.Sprintf("u-%d", 1+i%1000),
				Lines: []*orderv1.OrderLine{{Sku: fmt.Sprintf("sku-%d", 1+i%99), Quantity: 1}}})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
