package payment

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// balance returns "rows/charged/cents" of all forgotten payments.
func balance(t *testing.T, client paymentv1.PaymentServiceClient) string {
	t.Helper()
	got, err := client.GetForgottenPayments(t.Context(), &paymentv1.GetForgottenPaymentsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d/%d/%d", got.GetPayments(), got.GetCharged(), got.GetChargedCents())
}

func TestForgetPayments_CarriesTheBalance(t *testing.T) {
	client := paymentv1.NewPaymentServiceClient(program(t).Conn)
	for order, cents := range map[string]int64{"sold": 500, "sold too": 70, "undone": 9, "kept": 1000} {
		if _, err := client.Charge(t.Context(), &paymentv1.ChargeRequest{OrderId: order, UserId: "u-1", AmountCents: cents}); err != nil {
			t.Fatal(err)
		}
	}
	for _, order := range []string{"undone", "never charged"} {
		if _, err := client.Refund(t.Context(), &paymentv1.RefundRequest{OrderId: order}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		sentence string
		orders   []string
		want     string
	}{
		{"an order without a payment changes nothing", []string{"unknown"}, "0/0/0"},
		{"a charged order is counted with its cents", []string{"sold", "unknown"}, "1/1/500"},
		{"repeating it changes nothing", []string{"sold"}, "1/1/500"},
		{"refunded orders are counted without cents", []string{"sold", "undone", "never charged"}, "3/1/500"},
		{"an order that is named twice is counted once", []string{"sold too", "sold too"}, "4/2/570"},
	} {
		if _, err := client.ForgetPayments(t.Context(), &paymentv1.ForgetPaymentsRequest{OrderIds: c.orders}); err != nil {
			t.Errorf("%s: %v", c.sentence, err)
		}
		if got := balance(t, client); got != c.want {
			t.Errorf("%s: the balance is %s, want %s", c.sentence, got, c.want)
		}
	}
	left := payments(t, client)
	if len(left) != 2 || left["kept"] == nil || left["ping"] == nil {
		t.Errorf("kept %v", left)
	}
	for sentence, orders := range map[string][]string{
		"no order": nil, "an empty id": {""}, "too many": slices.Repeat([]string{"x"}, 1001),
	} {
		if _, err := client.ForgetPayments(t.Context(), &paymentv1.ForgetPaymentsRequest{OrderIds: orders}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: got %v", sentence, err)
		}
	}
}

// TestForgetPayments_Concurrent forgets overlapping orders, named in different orders, at the same moment. Each is counted once.
func TestForgetPayments_Concurrent(t *testing.T) {
	client := paymentv1.NewPaymentServiceClient(program(t).Conn)
	const orders = 200
	var forward []string
	for n := range orders {
		forward = append(forward, fmt.Sprintf("o-%03d", n))
		if _, err := client.Charge(t.Context(), &paymentv1.ChargeRequest{OrderId: forward[n], UserId: "u-1", AmountCents: int64(1 + n)}); err != nil {
			t.Fatal(err)
		}
	}
	backward := slices.Clone(forward)
	slices.Reverse(backward)
	var calls []func()
	for _, ids := range [][]string{forward, backward, forward[:50], backward[:50], forward[25:], backward} {
		calls = append(calls, func() {
			if _, err := client.ForgetPayments(t.Context(), &paymentv1.ForgetPaymentsRequest{OrderIds: ids}); err != nil {
				t.Error(err)
			}
		})
	}
	concurrently(calls)
	if got, want := balance(t, client), fmt.Sprintf("%d/%d/%d", orders, orders, orders*(orders+1)/2); got != want {
		t.Errorf("the balance is %s, want %s", got, want)
	}
}
