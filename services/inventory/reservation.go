package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
)

// The states of a reservation. A reserved order becomes committed or released; both are final.
const (
	reserved  = "reserved"
	committed = "committed"
	released  = "released"
)

// Every change of a reservation is one statement: one round trip and one transaction. If it cannot be made, it changes nothing and returns no
// row, and a second query finds out why. All statements lock the rows of stock first, ordered by SKU, and the reservation after them. Another
// order of locks could deadlock.

// reserveStock moves the wanted pieces from available to reserved, all or none, and returns their total price. An order that already exists
// needs no stock; ON CONFLICT handles one that is inserted concurrently.
const reserveStock = `
	WITH wanted AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS w (sku, quantity)),
	held AS (
		SELECT sku, price_cents, quantity FROM stock JOIN wanted USING (sku)
		WHERE available >= quantity AND NOT EXISTS (SELECT FROM reservations WHERE order_id = $1) ORDER BY sku FOR UPDATE OF stock),
	entered AS (
		INSERT INTO reservations (order_id, state, total_cents)
		SELECT $1, 'reserved', sum(price_cents * quantity) FROM held HAVING count(*) = (SELECT count(*) FROM wanted)
		ON CONFLICT DO NOTHING RETURNING order_id, total_cents),
	listed AS (INSERT INTO reservation_lines SELECT order_id, sku, quantity FROM entered, held),
	taken AS (
		UPDATE stock s SET available = s.available - h.quantity, reserved = s.reserved + h.quantity FROM entered, held h WHERE s.sku = h.sku)
	SELECT total_cents FROM entered`

// firstShortage selects the first wanted SKU with too few pieces. Its available column is null if the SKU does not exist.
const firstShortage = `
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
		err := conn.QueryRow(ctx, reserveStock, order, skus, quantities).Scan(&total)
		if !errors.Is(err, pgx.ErrNoRows) {
			return total, err
		}
		there, err := readReservation(ctx, conn, order)
		switch {
		case err != nil:
			return 0, err
		case there.state == released:
			return 0, refused(ReasonReleased, "order "+order+" was released")
		case there.state != "" && !(slices.Equal(there.skus, skus) && slices.Equal(there.quantities, quantities)):
			return 0, refusal.Field("order_id", "came with other lines before")
		case there.state != "":
			return there.total, nil
		}
		if err := checkStock(ctx, conn, skus, quantities); err != nil {
			return 0, err
		}
		// Another order released stock in the meantime: try again.
	}
}

func checkStock(ctx context.Context, conn *pgx.Conn, skus []string, quantities []int64) error {
	var sku string
	var wanted int64
	var available *int64
	err := conn.QueryRow(ctx, firstShortage, skus, quantities).Scan(&sku, &wanted, &available)
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
		done, err := finish(ctx, conn, order, released, "available = s.available + h.quantity, reserved = s.reserved - h.quantity")
		if done || err != nil {
			return err
		}
		made, err := conn.Exec(ctx, "INSERT INTO reservations (order_id, state) VALUES ($1, $2) ON CONFLICT DO NOTHING", order, released)
		if err != nil || made.RowsAffected() == 1 {
			return err
		}
		there, err := readReservation(ctx, conn, order)
		switch {
		case err != nil || there.state == released:
			return err
		case there.state == committed:
			return refused(ReasonCommitted, "order "+order+" is sold")
		}
		// The order was reserved in the meantime: try again.
	}
}

func commit(ctx context.Context, conn *pgx.Conn, order string) error {
	done, err := finish(ctx, conn, order, committed, "reserved = s.reserved - h.quantity, sold = s.sold + h.quantity")
	if done || err != nil {
		return err
	}
	there, err := readReservation(ctx, conn, order)
	switch {
	case err != nil || there.state == committed:
		return err
	case there.state == released:
		return refused(ReasonReleased, "order "+order+" was released")
	}
	return refused(ReasonNotReserved, "nothing is reserved for order "+order)
}

// finish ends the reservation of an order in the given state and reports whether there was one. set updates the row s of stock for each line
// h of the order. Counting the lines forces PostgreSQL to lock all of their stock before it updates anything.
func finish(ctx context.Context, conn *pgx.Conn, order, state, set string) (bool, error) {
	done, err := conn.Exec(ctx, `
		WITH held AS (
			SELECT sku, quantity FROM reservation_lines JOIN stock USING (sku) WHERE order_id = $1 ORDER BY sku FOR UPDATE OF stock),
		ended AS (
			UPDATE reservations SET state = $2 WHERE order_id = $1 AND state = 'reserved' AND (SELECT count(*) FROM held) > 0 RETURNING order_id)
		UPDATE stock s SET `+set+" FROM held h, ended WHERE s.sku = h.sku", order, state)
	return err == nil && done.RowsAffected() > 0, err
}

// reservation is the stored reservation of an order. Its state is empty if there is none.
type reservation struct {
	state string
	total int64
	// skus are sorted, and quantities are in the same order.
	skus       []string
	quantities []int64
}

func readReservation(ctx context.Context, conn *pgx.Conn, order string) (r reservation, err error) {
	err = conn.QueryRow(ctx, `
		SELECT state, total_cents, ARRAY(SELECT sku FROM reservation_lines WHERE order_id = $1 ORDER BY sku),
			ARRAY(SELECT quantity FROM reservation_lines WHERE order_id = $1 ORDER BY sku)
		FROM reservations WHERE order_id = $1`, order).Scan(&r.state, &r.total, &r.skus, &r.quantities)
	if errors.Is(err, pgx.ErrNoRows) {
		return reservation{}, nil
	}
	return r, err
}
