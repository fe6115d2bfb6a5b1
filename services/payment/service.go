// Package payment charges and refunds money for orders.
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

// The reasons of FAILED_PRECONDITION.
const (
	ReasonDeclined = "PAYMENT_DECLINED"
	ReasonRefunded = "ORDER_REFUNDED"
)

// Limit is the most that one order may cost.
const Limit = 1_000_000 // cents

const (
	charged  = "charged"
	refunded = "refunded"
)

// Service implements payment.v1.PaymentService.
type Service struct {
	paymentv1.UnimplementedPaymentServiceServer
	db *postgres.DB
}

// Register adds the service with its database to a program.
func Register(_ *governance.Process, s *grpc.Server, db *postgres.DB) error {
	paymentv1.RegisterPaymentServiceServer(s, Service{db: db})
	return nil
}

// Charge takes the money once.
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

// charge writes one row, so it needs no transaction around it; of a row that is there the amount and the user never change.
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

// Refund gives the money back, and keeps a late Charge from taking it again.
func (s Service) Refund(ctx context.Context, req *paymentv1.RefundRequest) (*paymentv1.RefundResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "INSERT INTO payments VALUES ($1, '', 0, $2) ON CONFLICT (order_id) DO UPDATE SET state = $2", req.GetOrderId(), refunded)
		return err
	})
	if err != nil {
		return nil, postgres.Status(err)
	}
	return &paymentv1.RefundResponse{}, nil
}
