package payment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

func TestChargeAndRefund_Concurrent(t *testing.T) {
	const orders, charges = 200, 3
	client := paymentv1.NewPaymentServiceClient(program(t).Conn)
	name := func(n int) string { return fmt.Sprintf("o-%03d", n) }
	amount := func(n int) int64 { return int64(100 + n) }
	// Half of the orders are refunded, most of them once: a second refund would hide what the first one left undone.
	refunds := func(n int) int { return [...]int{0, 1, 0, 1, 0, 2}[n%6] }
	isRefunded := func(n int) bool { return refunds(n) > 0 }

	var calls []func()
	for n := range orders {
		for range refunds(n) {
			calls = append(calls, func() {
				if _, err := client.Refund(t.Context(), &paymentv1.RefundRequest{OrderId: name(n)}); err != nil {
					t.Errorf("refunding %s: %v", name(n), err)
				}
			})
		}
		for range charges {
			calls = append(calls, func() {
				_, err := client.Charge(t.Context(), &paymentv1.ChargeRequest{OrderId: name(n), UserId: "u-1", AmountCents: amount(n)})
				late := isRefunded(n) && status.Code(err) == codes.FailedPrecondition && refusal.Reason(err) == ReasonRefunded
				if err != nil && !late {
					t.Errorf("charging %s: %v", name(n), err)
				}
			})
		}
	}
	concurrently(calls)

	seen := payments(t, client)
	for n := range orders {
		rows := seen[name(n)]
		switch {
		case len(rows) != 1:
			t.Errorf("%s has %d payments, want 1", name(n), len(rows))
		case isRefunded(n) && rows[0].GetState() != paymentv1.PaymentState_PAYMENT_STATE_REFUNDED:
			t.Errorf("%s was refunded, and is %s with %d cents", name(n), rows[0].GetState(), rows[0].GetAmountCents())
		case !isRefunded(n) && (rows[0].GetState() != paymentv1.PaymentState_PAYMENT_STATE_CHARGED || rows[0].GetAmountCents() != amount(n)):
			t.Errorf("%s was charged %d cents, and is %s with %d", name(n), amount(n), rows[0].GetState(), rows[0].GetAmountCents())
		}
	}
}

// concurrently starts all calls at the same moment and waits for them.
func concurrently(calls []func()) {
	begin := make(chan struct{})
	var all sync.WaitGroup
	for _, call := range calls {
		all.Go(func() {
			<-begin
			call()
		})
	}
	close(begin)
	all.Wait()
}

// payments returns every stored payment by order id.
func payments(t *testing.T, client paymentv1.PaymentServiceClient) map[string][]*paymentv1.Payment {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.ListPayments(ctx, &paymentv1.ListPaymentsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]*paymentv1.Payment{}
	for {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return seen
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[p.GetOrderId()] = append(seen[p.GetOrderId()], p)
	}
}
