package inventory

import (
	"context"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// listPage is how many reservations are read at once: none stays locked, and no connection taken, while a reader is slow.
const listPage = 500

// beyond comes after every order id. The database compares texts byte by byte: its locale is C.
const beyond = "\U0010FFFF"

var states = map[string]inventoryv1.ReservationState{
	reserved:  inventoryv1.ReservationState_RESERVATION_STATE_RESERVED,
	committed: inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED,
	released:  inventoryv1.ReservationState_RESERVATION_STATE_RELEASED,
}

// ListReservations lists them by order, without their lines.
func (s Service) ListReservations(req *inventoryv1.ListReservationsRequest, stream grpc.ServerStreamingServer[inventoryv1.Reservation]) error {
	if err := validation.Check(req); err != nil {
		return err
	}
	after, until := req.GetAfterOrderId(), req.GetUntilOrderId()
	if until == "" {
		until = beyond
	}
	for {
		page, err := s.page(stream.Context(), after, until)
		if err != nil {
			return postgres.Status(err)
		}
		for _, r := range page {
			if err := stream.Send(r); err != nil {
				return err
			}
			after = r.GetOrderId()
		}
		if len(page) < listPage {
			return nil
		}
	}
}

func (s Service) page(ctx context.Context, after, until string) (page []*inventoryv1.Reservation, err error) {
	err = s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT order_id, state, total_cents FROM reservations WHERE order_id > $1 AND order_id <= $2 ORDER BY order_id LIMIT $3", after, until, listPage)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*inventoryv1.Reservation, error) {
			r := &inventoryv1.Reservation{}
			var state string
			err := row.Scan(&r.OrderId, &state, &r.TotalCents)
			r.State = states[state]
			return r, err
		})
		return err
	})
	return page, err
}
