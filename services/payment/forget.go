package payment

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// forget deletes payments and adds them to the balance, in one statement. Replicas of orderservice that prune the same orders are harmless: each
// payment is deleted, and counted, once.
const forget = `
	WITH gone AS (DELETE FROM payments WHERE order_id = ANY($1) RETURNING amount_cents, state),
	total AS (
		SELECT count(*) AS payments, count(*) FILTER (WHERE state = 'charged') AS charged,
			coalesce(sum(amount_cents) FILTER (WHERE state = 'charged'), 0) AS cents
		FROM gone)
	UPDATE forgotten f SET payments = f.payments + t.payments, charged = f.charged + t.charged, charged_cents = f.charged_cents + t.cents
	FROM total t WHERE t.payments > 0`

// ForgetPayments deletes the payments of pruned orders. A refund that is forgotten does not block a Charge any more. That is acceptable: the
// worker of such an order lost its lease long ago, and a request on its way ends with its deadline. If a Charge came nevertheless, an audit
// would find money that is held for no order.
func (s Service) ForgetPayments(ctx context.Context, req *paymentv1.ForgetPaymentsRequest) (*paymentv1.ForgetPaymentsResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	if err := s.db.Exec(ctx, forget, req.GetOrderIds()); err != nil {
		return nil, postgres.Status(err)
	}
	return &paymentv1.ForgetPaymentsResponse{}, nil
}

// GetForgottenPayments returns the balance of forgotten payments.
func (s Service) GetForgottenPayments(ctx context.Context, _ *paymentv1.GetForgottenPaymentsRequest) (*paymentv1.GetForgottenPaymentsResponse, error) {
	out := &paymentv1.GetForgottenPaymentsResponse{}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT payments, charged, charged_cents FROM forgotten").Scan(&out.Payments, &out.Charged, &out.ChargedCents)
	})
	if err != nil {
		return nil, postgres.Status(err)
	}
	return out, nil
}
