package payment

import (
	"context"
	"errors"
	"io"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Stopping(m)) }

func program(t *testing.T) pgtest.Program {
	t.Helper()
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "paymentservice", "payments")
	cfg.Migrations = Migrations()
	p := pgtest.Serve(t, "paymentservice", cfg, Register)
	pgtest.Succeeds(t, "the database is ready", func(ctx context.Context) error {
		_, err := paymentv1.NewPaymentServiceClient(p.Conn).Refund(ctx, &paymentv1.RefundRequest{OrderId: "ping"})
		return err
	})
	return p
}

func TestPayment_Lifecycle(t *testing.T) {
	client := paymentv1.NewPaymentServiceClient(program(t).Conn)
	charge := func(order string, amount int64) error {
		_, err := client.Charge(t.Context(), &paymentv1.ChargeRequest{OrderId: order, UserId: "u-1", AmountCents: amount})
		return err
	}
	refund := func(order string) error {
		_, err := client.Refund(t.Context(), &paymentv1.RefundRequest{OrderId: order})
		return err
	}
	for _, c := range []struct {
		sentence string
		err      error
		code     codes.Code
		reason   string
	}{
		{"charge", charge("a", 500), codes.OK, ""},
		{"charge again", charge("a", 500), codes.OK, ""},
		{"charge another amount", charge("a", 501), codes.InvalidArgument, ""},
		{"charge nothing", charge("b", 0), codes.InvalidArgument, ""},
		{"charge the limit", charge("c", Limit), codes.OK, ""},
		{"charge more than the limit", charge("d", Limit+1), codes.FailedPrecondition, ReasonDeclined},
		{"refund", refund("c"), codes.OK, ""},
		{"refund again", refund("c"), codes.OK, ""},
		{"charge what was refunded", charge("c", Limit), codes.FailedPrecondition, ReasonRefunded},
		{"refund what was never charged", refund("late"), codes.OK, ""},
		{"a charge that comes after its refund", charge("late", 1), codes.FailedPrecondition, ReasonRefunded},
	} {
		if status.Code(c.err) != c.code || refusal.Reason(c.err) != c.reason {
			t.Errorf("%s: got %v", c.sentence, c.err)
		}
	}
	stream, err := client.ListPayments(t.Context(), &paymentv1.ListPaymentsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var kept int64
	for {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED {
			kept += p.GetAmountCents()
		}
	}
	if kept != 500 {
		t.Errorf("%d cents are charged in total, want 500", kept)
	}
}
