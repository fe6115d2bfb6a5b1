package order

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

func TestAudit_OrderStates(t *testing.T) {
	type holding struct {
		stock inventoryv1.ReservationState
		money paymentv1.PaymentState
		cents int64
	}
	const (
		none      = 0
		reserves  = inventoryv1.ReservationState_RESERVATION_STATE_RESERVED
		sold      = inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED
		gone      = inventoryv1.ReservationState_RESERVATION_STATE_RELEASED
		paid      = paymentv1.PaymentState_PAYMENT_STATE_CHARGED
		paidBack  = paymentv1.PaymentState_PAYMENT_STATE_REFUNDED
		wholeCost = 500
	)
	for _, c := range []struct {
		sentence  string
		state     state
		holding   holding
		violation string
	}{
		{"confirmed, committed and charged", confirmed, holding{sold, paid, wholeCost}, ""},
		{"confirmed, not committed", confirmed, holding{reserves, paid, wholeCost}, "its stock is RESERVATION_STATE_RESERVED"},
		{"confirmed, not charged", confirmed, holding{sold, none, 0}, "its payment is PAYMENT_STATE_UNSPECIFIED"},
		{"confirmed, refunded", confirmed, holding{sold, paidBack, wholeCost}, "its payment is PAYMENT_STATE_REFUNDED"},
		{"confirmed, charged with another amount", confirmed, holding{sold, paid, 499}, "over 499"},
		{"cancelled, nothing held", cancelled, holding{gone, paidBack, wholeCost}, ""},
		{"cancelled before anything was held", cancelled, holding{none, none, 0}, ""},
		{"cancelled, stock held", cancelled, holding{reserves, paidBack, 0}, "its stock is RESERVATION_STATE_RESERVED"},
		{"cancelled, money held", cancelled, holding{gone, paid, 1}, "its payment is PAYMENT_STATE_CHARGED"},
		{"in flight, whatever is held", charged, holding{reserves, paid, wholeCost}, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var a audit
			var h holdings
			if c.holding.stock != none {
				h.stock = &inventoryv1.Reservation{OrderId: "o", State: c.holding.stock, TotalCents: wholeCost}
			}
			if c.holding.money != none {
				h.money = &paymentv1.Payment{OrderId: "o", State: c.holding.money, AmountCents: c.holding.cents}
			}
			a.order(&order{id: "o", state: c.state, total: wholeCost}, h)
			got := a.response()
			said := strings.Join(got.GetViolations(), "\n")
			if (c.violation == "") != (said == "") || !strings.Contains(said, c.violation) || got.GetConsistent() != (c.violation == "") {
				t.Errorf("got %v", got)
			}
		})
	}
}
