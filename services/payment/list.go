package payment

import (
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

var protoStates = map[string]paymentv1.PaymentState{
	charged:  paymentv1.PaymentState_PAYMENT_STATE_CHARGED,
	refunded: paymentv1.PaymentState_PAYMENT_STATE_REFUNDED,
}

// ListPayments streams payments ordered by order id.
func (s Service) ListPayments(req *paymentv1.ListPaymentsRequest, stream grpc.ServerStreamingServer[paymentv1.Payment]) error {
	if err := validation.Check(req); err != nil {
		return err
	}
	return postgres.List[*paymentv1.Payment]{
		DB: s.db,
		Query: `SELECT order_id, user_id, amount_cents, state FROM payments
			WHERE order_id > $1 AND order_id <= $2 ORDER BY order_id LIMIT $3`,
		Scan: scanPayment,
		ID:   (*paymentv1.Payment).GetOrderId,
	}.Send(stream.Context(), req.GetAfterOrderId(), req.GetUntilOrderId(), stream.Send)
}

func scanPayment(row pgx.CollectableRow) (*paymentv1.Payment, error) {
	p := &paymentv1.Payment{}
	var state string
	err := row.Scan(&p.OrderId, &p.UserId, &p.AmountCents, &state)
	p.State = protoStates[state]
	return p, err
}
