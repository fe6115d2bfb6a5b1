package payment

import (
	"context"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// listPage is how many payments are read at once: no connection is taken while a reader is slow.
const listPage = 500

// beyond comes after every order id. The database compares texts byte by byte: its locale is C.
const beyond = "\U0010FFFF"

var states = map[string]paymentv1.PaymentState{
	charged:  paymentv1.PaymentState_PAYMENT_STATE_CHARGED,
	refunded: paymentv1.PaymentState_PAYMENT_STATE_REFUNDED,
}

// ListPayments lists them by order.
func (s Service) ListPayments(req *paymentv1.ListPaymentsRequest, stream grpc.ServerStreamingServer[paymentv1.Payment]) error {
	if err := validation.Check(req); err != nil {
		return err
	}
	after, until := req.GetAfterOrderId(), req.GetUntilOrderId()
	if until == "" {
		until = beyond
	}
	for {
		page, err := s.page(stream.Context(), after, until)
		if err != nil {
			return postgres.Status(err)
		}
		for _, p := range page {
			if err := stream.Send(p); err != nil {
				return err
			}
			after = p.GetOrderId()
		}
		if len(page) < listPage {
			return nil
		}
	}
}

func (s Service) page(ctx context.Context, after, until string) (page []*paymentv1.Payment, err error) {
	err = s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT order_id, user_id, amount_cents, state FROM payments WHERE order_id > $1 AND order_id <= $2 ORDER BY order_id LIMIT $3", after, until, listPage)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*paymentv1.Payment, error) {
			p := &paymentv1.Payment{}
			var state string
			err := row.Scan(&p.OrderId, &p.UserId, &p.AmountCents, &state)
			p.State = states[state]
			return p, err
		})
		return err
	})
	return page, err
}
