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

// Each change of a reservation is one statement, so one round trip and one transaction. It changes nothing, and gives no row, when it cannot
// be made; why is read afterwards. All of them lock rows of stock in the order of their skus, or two could wait for each other.

// takeAll moves the wanted pieces from available to reserved, all or none, and returns what they cost.
const takeAll = `
	WITH wanted AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS w (sku, quantity)),
	held AS (SELECT sku, price_cents, quantity FROM stock JOIN wanted USING (sku) WHERE available >= quantity ORDER BY sku FOR UPDATE OF stock),
	entered AS (
		INSERT INTO reservations (order_id, state, total_cents)
		SELECT $1, 'reserved', sum(price_cents * quantity) FROM held HAVING count(*) = (SELECT count(*) FROM wanted)
		ON CONFLICT DO NOTHING RETURNING order_id, total_cents),
	listed AS (INSERT INTO reservation_lines SELECT order_id, sku, quantity FROM entered, held),
	taken AS (
		UPDATE stock s SET available = s.available - h.quantity, reserved = s.reserved + h.quantity FROM entered, held h WHERE s.sku = h.sku)
	SELECT total_cents FROM entered`

// lacking is the first wanted sku that there is not enough of; available is null when nobody sells it.
const lacking = `
	SELECT sku, quantity, available FROM unnest($1::text[], $2::bigint[]) AS w (sku, quantity) LEFT JOIN stock USING (sku)
	WHERE available IS NULL OR available < quantity ORDER BY sku LIMIT 1`

func reserve(ctx context.Context, conn *pgx.Conn, order string, lines []*inventoryv1.Line) (int64, error) {
	var skus []string
	var quantities []int64
	for _, l := range lines {
		skus, quantities = append(skus, l.GetSku()), append(quantities, int64(l.GetQuantity()))
	}
	for {
		var total int64
		err := conn.QueryRow(ctx, takeAll, order, skus, quantities).Scan(&total)
		if !errors.Is(err, pgx.ErrNoRows) {
			return total, err
		}
		state, total, err := read(ctx, conn, order)
		switch {
		case err != nil:
			return 0, err
		case state == released:
			return 0, refused(ReasonReleased, "order "+order+" was released")
		case state != "":
			return total, nil
		}
		if err := enough(ctx, conn, skus, quantities); err != nil {
			return 0, err
		}
		// Somebody else gave pieces back in between.
	}
}

func enough(ctx context.Context, conn *pgx.Conn, skus []string, quantities []int64) error {
	var sku string
	var wanted int64
	var available *int64
	err := conn.QueryRow(ctx, lacking, skus, quantities).Scan(&sku, &wanted, &available)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	case available == nil:
		return unknownSKU(sku)
	}
	return refused(ReasonOutOfStock, fmt.Sprintf("%d of %s are wanted and %d there", wanted, sku, *available))
}

func release(ctx context.Context, conn *pgx.Conn, order string) error {
	for {
		done, err := end(ctx, conn, order, released, "available = s.available + h.quantity, reserved = s.reserved - h.quantity")
		if done || err != nil {
			return err
		}
		made, err := conn.Exec(ctx, "INSERT INTO reservations (order_id, state) VALUES ($1, $2) ON CONFLICT DO NOTHING", order, released)
		if err != nil || made.RowsAffected() == 1 {
			return err
		}
		state, _, err := read(ctx, conn, order)
		switch {
		case err != nil || state == released:
			return err
		case state == committed:
			return refused(ReasonCommitted, "order "+order+" is sold")
		}
		// It was reserved in between.
	}
}

func commit(ctx context.Context, conn *pgx.Conn, order string) error {
	done, err := end(ctx, conn, order, committed, "reserved = s.reserved - h.quantity, sold = s.sold + h.quantity")
	if done || err != nil {
		return err
	}
	state, _, err := read(ctx, conn, order)
	switch {
	case err != nil || state == committed:
		return err
	case state == released:
		return refused(ReasonReleased, "order "+order+" was released")
	}
	return refused(ReasonNotReserved, "nothing is reserved for order "+order)
}

// end ends a reservation, if it is one: set says what becomes of the stock s of each line h.
func end(ctx context.Context, conn *pgx.Conn, order, state, set string) (bool, error) {
	done, err := conn.Exec(ctx, `
		WITH ended AS (UPDATE reservations SET state = $2 WHERE order_id = $1 AND state = 'reserved' RETURNING order_id),
		held AS (
			SELECT sku, quantity FROM ended JOIN reservation_lines USING (order_id) JOIN stock USING (sku) ORDER BY sku FOR UPDATE OF stock)
		UPDATE stock s SET `+set+" FROM held h WHERE s.sku = h.sku", order, state)
	return err == nil && done.RowsAffected() > 0, err // a reservation has a line at least
}

// read returns an empty state when there is no reservation.
func read(ctx context.Context, conn *pgx.Conn, order string) (state string, total int64, err error) {
	err = conn.QueryRow(ctx, "SELECT state, total_cents FROM reservations WHERE order_id = $1", order).Scan(&state, &total)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, nil
	}
	return state, total, err
}
