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

// The states of a reservation: reserved leads to committed or released, and neither leads anywhere.
const (
	reserved  = "reserved"
	committed = "committed"
	released  = "released"
)

// Each change of a reservation is one statement, so one round trip and one transaction. It changes nothing, and gives no row, when it cannot
// be made; why is read afterwards. All of them lock rows of stock first, in the order of their skus, and then the order's own: otherwise two
// could wait for each other.

// takeAll moves the wanted pieces from available to reserved, all or none, and returns what they cost. An order that is there already needs
// no stock; one that is made at the same time is found by the conflict.
const takeAll = `
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
		there, err := read(ctx, conn, order)
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
		there, err := read(ctx, conn, order)
		switch {
		case err != nil || there.state == released:
			return err
		case there.state == committed:
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
	there, err := read(ctx, conn, order)
	switch {
	case err != nil || there.state == committed:
		return err
	case there.state == released:
		return refused(ReasonReleased, "order "+order+" was released")
	}
	return refused(ReasonNotReserved, "nothing is reserved for order "+order)
}

// end ends a reservation, if it is one: set says what becomes of the stock s of each line h. To count the lines locks all of their stock.
func end(ctx context.Context, conn *pgx.Conn, order, state, set string) (bool, error) {
	done, err := conn.Exec(ctx, `
		WITH held AS (
			SELECT sku, quantity FROM reservation_lines JOIN stock USING (sku) WHERE order_id = $1 ORDER BY sku FOR UPDATE OF stock),
		ended AS (
			UPDATE reservations SET state = $2 WHERE order_id = $1 AND state = 'reserved' AND (SELECT count(*) FROM held) > 0 RETURNING order_id)
		UPDATE stock s SET `+set+" FROM held h, ended WHERE s.sku = h.sku", order, state)
	return err == nil && done.RowsAffected() > 0, err
}

// reservation is what is kept of an order; without a state when nothing is.
type reservation struct {
	state      string
	total      int64
	skus       []string // in order
	quantities []int64
}

func read(ctx context.Context, conn *pgx.Conn, order string) (r reservation, err error) {
	err = conn.QueryRow(ctx, `
		SELECT state, total_cents, ARRAY(SELECT sku FROM reservation_lines WHERE order_id = $1 ORDER BY sku),
			ARRAY(SELECT quantity FROM reservation_lines WHERE order_id = $1 ORDER BY sku)
		FROM reservations WHERE order_id = $1`, order).Scan(&r.state, &r.total, &r.skus, &r.quantities)
	if errors.Is(err, pgx.ErrNoRows) {
		return reservation{}, nil
	}
	return r, err
}
