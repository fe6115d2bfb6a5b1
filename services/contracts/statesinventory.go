package contracts

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
)

func inventory() provider {
	client := inventoryv1.NewInventoryServiceClient
	reserve := func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error {
		_, err := client(conn).Reserve(ctx, &inventoryv1.ReserveRequest{OrderId: v["order"], Lines: []*inventoryv1.Line{{Sku: "sku-2", Quantity: 3}}})
		return err
	}
	release := func(ctx context.Context, conn grpc.ClientConnInterface, order string) error {
		_, err := client(conn).Release(ctx, &inventoryv1.ReleaseRequest{OrderId: order})
		return err
	}
	return provider{
		states: map[string]state{
			"the order is reserved": {prepare: reserve},
			"the order is released": {prepare: func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error {
				return release(ctx, conn, v["order"])
			}},
			"the order is sold": {confirmed: true, prepare: func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error {
				if err := reserve(ctx, conn, v); err != nil {
					return err
				}
				_, err := client(conn).Commit(ctx, &inventoryv1.CommitRequest{OrderId: v["order"]})
				return err
			}},
		},
		irreversible: map[string]string{inventoryv1.InventoryService_Commit_FullMethodName: "it would sell stock without an order, which cannot be undone"},
		holdings: func(ctx context.Context, conn grpc.ClientConnInterface, prefix string) (orders []string, _ error) {
			all, err := collect(client(conn).ListReservations(ctx, &inventoryv1.ListReservationsRequest{}))
			for _, r := range all {
				if strings.HasPrefix(r.GetOrderId(), prefix) && r.GetState() == inventoryv1.ReservationState_RESERVATION_STATE_RESERVED {
					orders = append(orders, r.GetOrderId())
				}
			}
			return orders, err
		},
		cleanup: release,
	}
}
