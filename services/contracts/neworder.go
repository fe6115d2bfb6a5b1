package contracts

import (
	"context"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// NewOrder returns a function for Replayer.ConfirmedOrder that places an order. The order has a fixed key, so all runs share one order.
func NewOrder(orderservice grpc.ClientConnInterface) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		got, err := orderv1.NewOrderServiceClient(orderservice).CreateOrder(ctx, &orderv1.CreateOrderRequest{
			UserId: "u-42", Lines: []*orderv1.OrderLine{{Sku: "sku-2", Quantity: 3}}, IdempotencyKey: "contracts"})
		return got.GetOrder().GetOrderId(), err
	}
}
