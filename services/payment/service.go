// Package payment implements payment.v1.PaymentService: it charges orders and refunds them.
//
// Both methods are idempotent by order id. A refund is final: it blocks a Charge of the same order, also one that arrives later.
package payment

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// Reasons in the ErrorInfo of a FAILED_PRECONDITION error.
const (
	ReasonDeclined = "PAYMENT_DECLINED"
	ReasonRefunded = "ORDER_REFUNDED"
)

// Limit is the highest amount that one order may cost, in cents.
const Limit = 1_000_000

const (
	charged  = "charged"
	refunded = "refunded"
)

// Service implements payment.v1.PaymentService.
type Service struct {
	paymentv1.UnimplementedPaymentServiceServer
	db *postgres.DB
}

// Register adds the service to a gRPC server.
func Register(_ *governance.Process, s *grpc.Server, db *postgres.DB) error {
	paymentv1.RegisterPaymentServiceServer(s, Service{db: db})
	return nil
}

// Charge charges an order once. Repeating it with the same amount and user changes nothing.
func (s Service) Charge(ctx context.Context, req *paymentv1.ChargeRequest) (*paymentv1.ChargeResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	if req.GetAmountCents() > Limit {
		return nil, refusal.New(codes.FailedPrecondition, ReasonDeclined, fmt.Sprintf("%d cents are more than the limit of %d", req.GetAmountCents(), Limit))
	}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error { return charge(ctx, conn, req) })
	if err != nil {
		return nil, postgres.Status(err)
	}
	return &paymentv1.ChargeResponse{}, nil
}

// charge inserts one row, which needs no explicit transaction. The amount and the user of an existing row never change, so reading it
// afterwards is safe.
func charge(ctx context.Context, conn *pgx.Conn, req *paymentv1.ChargeRequest) error {
	made, err := conn.Exec(ctx, "INSERT INTO payments VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", req.GetOrderId(), req.GetUserId(), req.GetAmountCents(), charged)
	if err != nil || made.RowsAffected() == 1 {
		return err
	}
	var user, state string
	var amount int64
	if err := conn.QueryRow(ctx, "SELECT user_id, amount_cents, state FROM payments WHERE order_id = $1", req.GetOrderId()).Scan(&user, &amount, &state); err != nil {
		return err
	}
	switch {
	case state == refunded:
		return refusal.New(codes.FailedPrecondition, ReasonRefunded, "order "+req.GetOrderId()+" was refunded")
	case amount != req.GetAmountCents() || user != req.GetUserId():
		return refusal.Field("order_id", "was charged with another amount or another user before")
	}
	return nil
}

// Refund returns the money of an order. It also blocks a Charge of the same order that arrives later.
func (s Service) Refund(ctx context.Context, req *paymentv1.RefundRequest) (*paymentv1.RefundResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	const refund = "INSERT INTO payments VALUES ($1, '', 0, $2) ON CONFLICT (order_id) DO UPDATE SET state = $2"
	if err := s.db.Exec(ctx, refund, req.GetOrderId(), refunded); err != nil {
		return nil, postgres.Status(err)
	}
	return &paymentv1.RefundResponse{}, nil
}
