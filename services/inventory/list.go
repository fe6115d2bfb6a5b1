package inventory

import (
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

var protoStates = map[string]inventoryv1.ReservationState{
	reserved:  inventoryv1.ReservationState_RESERVATION_STATE_RESERVED,
	committed: inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED,
	released:  inventoryv1.ReservationState_RESERVATION_STATE_RELEASED,
}

// ListReservations streams reservations ordered by order id, without their lines.
func (s Service) ListReservations(req *inventoryv1.ListReservationsRequest, stream grpc.ServerStreamingServer[inventoryv1.Reservation]) error {
	if err := validation.Check(req); err != nil {
		return err
	}
	return postgres.List[*inventoryv1.Reservation]{
		DB: s.db,
		Query: `SELECT order_id, state, total_cents FROM reservations
			WHERE order_id > $1 AND order_id <= $2 ORDER BY order_id LIMIT $3`,
		Scan: scanReservation,
		ID:   (*inventoryv1.Reservation).GetOrderId,
	}.Send(stream.Context(), req.GetAfterOrderId(), req.GetUntilOrderId(), stream.Send)
}

func scanReservation(row pgx.CollectableRow) (*inventoryv1.Reservation, error) {
	r := &inventoryv1.Reservation{}
	var state string
	err := row.Scan(&r.OrderId, &state, &r.TotalCents)
	r.State = protoStates[state]
	return r, err
}
