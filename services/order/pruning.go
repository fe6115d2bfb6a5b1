package order

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// pruner deletes old orders with their payments and reservations. Each service adds what it deletes to a balance in the same transaction, so
// audits stay exact.
//
//	mark a batch ──> forget its payments ──> forget its reservations ──> delete its orders
//
// Every step is idempotent. A crash in between leaves a marked batch, whose orders an audit does not compare with their holdings; when the mark
// expires, any replica repeats all steps. Replicas mark different batches. Two that work on the same one, because the first is slow, are harmless.
//
// An order that is pruned has had neither a worker nor a caller for pruner.age. What blocks a late charge or reservation of a cancelled order is
// therefore deleted, too.
type pruner struct {
	saga   *saga
	age    time.Duration
	every  time.Duration
	tracer trace.Tracer
}

const (
	// pruneAtOnce is the number of orders in a batch. It is low, to disturb callers little.
	pruneAtOnce = 200
	// pruneBatches is how many batches a sweep prunes at most: with the defaults, 10,000 orders a minute. The pauses give audits time.
	pruneBatches = 50
)

// run prunes at regular intervals until ctx ends.
func (p *pruner) run(ctx context.Context) error {
	return governance.Every(ctx, p.every, func(ctx context.Context) error {
		pruned, err := p.sweep(ctx)
		if err != nil && ctx.Err() == nil {
			p.saga.log.WarnContext(ctx, "old orders wait to be pruned", "error", err)
		}
		if pruned > 0 {
			p.saga.log.InfoContext(ctx, "pruned orders", "orders", pruned)
		}
		return nil
	})
}

// sweep prunes up to pruneBatches batches. It returns the number of orders, also if it failed before the end.
func (p *pruner) sweep(ctx context.Context) (pruned int64, err error) {
	for range pruneBatches {
		marked, err := p.saga.store.markOld(ctx, p.age, pruneAtOnce)
		if err != nil || len(marked) == 0 {
			return pruned, err
		}
		p.saga.at("marked")
		n, err := p.prune(ctx, marked)
		pruned += n
		if err != nil {
			return pruned, err
		}
	}
	return pruned, nil
}

// prune deletes a batch of marked orders and returns how many of them were still there.
func (p *pruner) prune(ctx context.Context, ids []string) (int64, error) {
	ctx, span := p.tracer.Start(ctx, "prune orders", trace.WithAttributes(attribute.Int("orders", len(ids))))
	defer span.End()
	ctx, cancel := context.WithTimeout(ctx, p.saga.limit)
	defer cancel()
	if err := p.forgetPayments(ctx, ids); err != nil {
		return 0, err
	}
	p.saga.at("payments forgotten")
	if err := p.forgetReservations(ctx, ids); err != nil {
		return 0, err
	}
	p.saga.at("reservations forgotten")
	n, err := p.saga.store.deleteMarked(ctx, ids)
	p.saga.at("pruned")
	return n, err
}

func (p *pruner) forgetPayments(ctx context.Context, ids []string) error {
	_, err := p.saga.payment.ForgetPayments(ctx, &paymentv1.ForgetPaymentsRequest{OrderIds: ids})
	return err
}

func (p *pruner) forgetReservations(ctx context.Context, ids []string) error {
	_, err := p.saga.inventory.ForgetReservations(ctx, &inventoryv1.ForgetReservationsRequest{OrderIds: ids})
	return err
}

// markOld marks finished orders whose state has not changed for age, except those that another replica has marked, and returns their ids.
func (s *store) markOld(ctx context.Context, age time.Duration, most int) (ids []string, err error) {
	ids, err = postgres.Collect(ctx, s.db, pgx.RowTo[string], `
		UPDATE orders SET pruning = now() + $1 WHERE number IN (
			SELECT number FROM orders
			WHERE state IN ('confirmed', 'cancelled') AND lease < now() - $2::interval AND (pruning IS NULL OR pruning < now())
			ORDER BY lease LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING order_id`, s.lease, age, most)
	return ids, postgres.Status(err)
}

// prunedOrders is the balance of all orders that were ever pruned.
type prunedOrders struct{ confirmed, confirmedCents, cancelled int64 }

// deleteMarked deletes marked orders and adds them to the balance. It returns how many it deleted.
func (s *store) deleteMarked(ctx context.Context, ids []string) (deleted int64, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var gone prunedOrders
		err := tx.QueryRow(ctx, `
			WITH gone AS (DELETE FROM orders WHERE order_id = ANY($1) AND pruning IS NOT NULL RETURNING state, total_cents)
			SELECT count(*) FILTER (WHERE state = 'confirmed'), coalesce(sum(total_cents) FILTER (WHERE state = 'confirmed'), 0)::bigint,
				count(*) FILTER (WHERE state = 'cancelled')
			FROM gone`, ids).Scan(&gone.confirmed, &gone.confirmedCents, &gone.cancelled)
		if err != nil {
			return err
		}
		if deleted = gone.confirmed + gone.cancelled; deleted == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, "UPDATE pruned SET confirmed = confirmed + $1, confirmed_cents = confirmed_cents + $2, cancelled = cancelled + $3",
			gone.confirmed, gone.confirmedCents, gone.cancelled)
		return err
	})
	return deleted, postgres.Status(err)
}

// pruned returns the balance of pruned orders.
func (s *store) pruned(ctx context.Context) (p prunedOrders, err error) {
	err = s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT confirmed, confirmed_cents, cancelled FROM pruned").Scan(&p.confirmed, &p.confirmedCents, &p.cancelled)
	})
	return p, postgres.Status(err)
}
