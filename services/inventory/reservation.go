package inventory

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
)

// The states of a reservation: reserved leads to committed or released, and neither leads anywhere.
const (
	reserved  = "reserved"
	committed = "committed"
	released  = "released"
)

func reserve(ctx context.Context, tx pgx.Tx, order string, lines []*inventoryv1.Line) (int64, error) {
	state, total, err := enter(ctx, tx, order, reserved)
	switch {
	case err != nil:
		return 0, err
	case state == released:
		return 0, refused(ReasonReleased, "order "+order+" was released")
	case state != "":
		return total, nil
	}
	for _, l := range lines {
		price, err := take(ctx, tx, l)
		if err != nil {
			return 0, err
		}
		total += price * int64(l.GetQuantity())
		if _, err := tx.Exec(ctx, "INSERT INTO reservation_lines VALUES ($1, $2, $3)", order, l.GetSku(), l.GetQuantity()); err != nil {
			return 0, err
		}
	}
	_, err = tx.Exec(ctx, "UPDATE reservations SET total_cents = $2 WHERE order_id = $1", order, total)
	return total, err
}

// take moves pieces from available to reserved and returns the price of one.
func take(ctx context.Context, tx pgx.Tx, l *inventoryv1.Line) (price int64, err error) {
	err = tx.QueryRow(ctx, "UPDATE stock SET available = available - $2, reserved = reserved + $2 WHERE sku = $1 AND available >= $2 RETURNING price_cents",
		l.GetSku(), l.GetQuantity()).Scan(&price)
	if !errors.Is(err, pgx.ErrNoRows) {
		return price, err
	}
	var available int64
	err = tx.QueryRow(ctx, "SELECT available FROM stock WHERE sku = $1", l.GetSku()).Scan(&available)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, unknownSKU(l.GetSku())
	case err != nil:
		return 0, err
	}
	return 0, refused(ReasonOutOfStock, fmt.Sprintf("%d of %s are wanted and %d there", l.GetQuantity(), l.GetSku(), available))
}

func release(ctx context.Context, tx pgx.Tx, order string) error {
	state, _, err := enter(ctx, tx, order, released)
	switch {
	case err != nil || state == "" || state == released:
		return err
	case state == committed:
		return refused(ReasonCommitted, "order "+order+" is sold")
	}
	return move(ctx, tx, order, released, "available = s.available + l.quantity, reserved = s.reserved - l.quantity")
}

func commit(ctx context.Context, tx pgx.Tx, order string) error {
	state, _, err := locked(ctx, tx, order)
	switch {
	case err != nil || state == committed:
		return err
	case state == "":
		return refused(ReasonNotReserved, "nothing is reserved for order "+order)
	case state == released:
		return refused(ReasonReleased, "order "+order+" was released")
	}
	return move(ctx, tx, order, committed, "reserved = s.reserved - l.quantity, sold = s.sold + l.quantity")
}

// enter makes a new row in a state, and returns an empty state; or locks the row that is there, and returns its state.
func enter(ctx context.Context, tx pgx.Tx, order, state string) (before string, total int64, err error) {
	made, err := tx.Exec(ctx, "INSERT INTO reservations (order_id, state) VALUES ($1, $2) ON CONFLICT DO NOTHING", order, state)
	if err != nil || made.RowsAffected() == 1 {
		return "", 0, err
	}
	return locked(ctx, tx, order)
}

// locked returns an empty state when there is no row.
func locked(ctx context.Context, tx pgx.Tx, order string) (state string, total int64, err error) {
	err = tx.QueryRow(ctx, "SELECT state, total_cents FROM reservations WHERE order_id = $1 FOR UPDATE", order).Scan(&state, &total)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, nil
	}
	return state, total, err
}

// move ends a reservation: set says what becomes of the stock s of each line l. Rows are locked in the order of their skus, as by reserve.
func move(ctx context.Context, tx pgx.Tx, order, state, set string) error {
	for _, statement := range []string{
		"SELECT FROM stock WHERE sku IN (SELECT sku FROM reservation_lines WHERE order_id = $1) ORDER BY sku FOR UPDATE",
		"UPDATE stock s SET " + set + " FROM reservation_lines l WHERE l.order_id = $1 AND l.sku = s.sku",
	} {
		if _, err := tx.Exec(ctx, statement, order); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "UPDATE reservations SET state = $2 WHERE order_id = $1", order, state)
	return err
}
