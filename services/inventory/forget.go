package inventory

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// forget deletes reservations with their lines and adds them to the balance, in one statement. It locks no stock, so no order waits for it. The
// pieces of a released reservation are available again and are not counted.
const forget = `
	WITH gone AS (DELETE FROM reservations WHERE order_id = ANY($1) AND state <> 'reserved' RETURNING order_id, state, total_cents),
	lines AS (DELETE FROM reservation_lines l USING gone g WHERE l.order_id = g.order_id RETURNING l.sku, l.quantity, g.state),
	pieces AS (
		INSERT INTO forgotten_lines SELECT sku, sum(quantity) FROM lines WHERE state = 'committed' GROUP BY sku ORDER BY sku
		ON CONFLICT (sku) DO UPDATE SET sold = forgotten_lines.sold + excluded.sold),
	total AS (
		SELECT count(*) AS reservations, count(*) FILTER (WHERE state = 'committed') AS sold,
			coalesce(sum(total_cents) FILTER (WHERE state = 'committed'), 0) AS cents
		FROM gone)
	UPDATE forgotten f SET reservations = f.reservations + t.reservations, sold = f.sold + t.sold, sold_cents = f.sold_cents + t.cents
	FROM total t WHERE t.reservations > 0`

// ForgetReservations deletes the reservations of pruned orders. A release that is forgotten does not block a Reserve any more. That is
// acceptable: the worker of such an order lost its lease long ago, and a request on its way ends with its deadline. If a Reserve came
// nevertheless, an audit would find stock that is held for no order.
func (s Service) ForgetReservations(ctx context.Context, req *inventoryv1.ForgetReservationsRequest) (*inventoryv1.ForgetReservationsResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	if err := s.db.Exec(ctx, forget, req.GetOrderIds()); err != nil {
		return nil, postgres.Status(err)
	}
	return &inventoryv1.ForgetReservationsResponse{}, nil
}

// GetForgottenReservations returns the balance of forgotten reservations.
func (s Service) GetForgottenReservations(ctx context.Context, _ *inventoryv1.GetForgottenReservationsRequest) (*inventoryv1.GetForgottenReservationsResponse, error) {
	out := &inventoryv1.GetForgottenReservationsResponse{}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT reservations, sold, sold_cents FROM forgotten").Scan(&out.Reservations, &out.Sold, &out.SoldCents)
	})
	if err != nil {
		return nil, postgres.Status(err)
	}
	return out, nil
}
