package contracts

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

func payments() provider {
	client := paymentv1.NewPaymentServiceClient
	refund := func(ctx context.Context, conn grpc.ClientConnInterface, order string) error {
		_, err := client(conn).Refund(ctx, &paymentv1.RefundRequest{OrderId: order})
		return err
	}
	return provider{
		states: map[string]state{
			"the order is charged": {prepare: func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error {
				_, err := client(conn).Charge(ctx, &paymentv1.ChargeRequest{OrderId: v["order"], UserId: "u-42", AmountCents: 600})
				return err
			}},
			"the order is refunded": {prepare: func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error {
				return refund(ctx, conn, v["order"])
			}},
		},
		holdings: func(ctx context.Context, conn grpc.ClientConnInterface, prefix string) (orders []string, _ error) {
			all, err := collect(client(conn).ListPayments(ctx, &paymentv1.ListPaymentsRequest{}))
			for _, p := range all {
				if strings.HasPrefix(p.GetOrderId(), prefix) && p.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED {
					orders = append(orders, p.GetOrderId())
				}
			}
			return orders, err
		},
		cleanup: refund,
	}
}
