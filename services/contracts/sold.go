package contracts

import (
	"context"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// Buying is Replayer.Sold for a shop. It buys once: later it finds its order by the key, however many runs there are.
func Buying(orderservice grpc.ClientConnInterface) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		got, err := orderv1.NewOrderServiceClient(orderservice).CreateOrder(ctx, &orderv1.CreateOrderRequest{
			UserId: "u-42", Lines: []*orderv1.OrderLine{{Sku: "sku-2", Quantity: 3}}, IdempotencyKey: "contracts"})
		return got.GetOrder().GetOrderId(), err
	}
}
