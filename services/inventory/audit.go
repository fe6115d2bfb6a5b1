package inventory

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// mismatches selects the SKUs whose counters in stock differ from the sum of their reservation lines, including those that were forgotten. It is
// a single statement, so it sees one consistent snapshot even while orders are placed and forgotten.
const mismatches = `
	WITH kept AS (
		SELECT sku, quantity, state FROM reservation_lines JOIN reservations USING (order_id)
		UNION ALL SELECT sku, sold, 'committed' FROM forgotten_lines),
	lines AS (
		SELECT sku, coalesce(sum(quantity) FILTER (WHERE state = 'reserved'), 0) AS reserved,
			coalesce(sum(quantity) FILTER (WHERE state = 'committed'), 0) AS sold
		FROM kept GROUP BY sku)
	SELECT format('%s has %s reserved and %s sold, and its lines add up to %s and %s',
		sku, s.reserved, s.sold, coalesce(l.reserved, 0), coalesce(l.sold, 0))
	FROM stock s LEFT JOIN lines l USING (sku)
	WHERE s.reserved <> coalesce(l.reserved, 0) OR s.sold <> coalesce(l.sold, 0) ORDER BY sku`

// AuditStock compares the counters of each SKU with its reservations and returns a sentence for each difference.
func (s Service) AuditStock(ctx context.Context, _ *inventoryv1.AuditStockRequest) (*inventoryv1.AuditStockResponse, error) {
	violations, err := postgres.Collect(ctx, s.db, pgx.RowTo[string], mismatches)
	if err != nil {
		return nil, postgres.Status(err)
	}
	return &inventoryv1.AuditStockResponse{Violations: violations}, nil
}
