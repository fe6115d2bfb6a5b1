package inventory

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// disagreeing lists the skus whose counters are not what the lines of reservations add up to. It is one statement, so it sees one moment,
// however much is sold meanwhile.
const disagreeing = `
	WITH lines AS (
		SELECT sku, coalesce(sum(quantity) FILTER (WHERE state = 'reserved'), 0) AS reserved,
			coalesce(sum(quantity) FILTER (WHERE state = 'committed'), 0) AS sold
		FROM reservation_lines JOIN reservations USING (order_id) GROUP BY sku)
	SELECT format('%s has %s reserved and %s sold, and its lines add up to %s and %s',
		sku, s.reserved, s.sold, coalesce(l.reserved, 0), coalesce(l.sold, 0))
	FROM stock s LEFT JOIN lines l USING (sku)
	WHERE s.reserved <> coalesce(l.reserved, 0) OR s.sold <> coalesce(l.sold, 0) ORDER BY sku`

// AuditStock compares stock with reservations.
func (s Service) AuditStock(ctx context.Context, _ *inventoryv1.AuditStockRequest) (*inventoryv1.AuditStockResponse, error) {
	out := &inventoryv1.AuditStockResponse{}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, disagreeing)
		if err != nil {
			return err
		}
		out.Violations, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, postgres.Status(err)
	}
	return out, nil
}
