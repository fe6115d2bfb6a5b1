package order

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// TestAudit_OrdersBeingPruned checks that the holdings of an order that is being pruned may be forgotten, and that the sums must agree.
func TestAudit_OrdersBeingPruned(t *testing.T) {
	const (
		sold = inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED
		gone = inventoryv1.ReservationState_RESERVATION_STATE_RELEASED
		paid = paymentv1.PaymentState_PAYMENT_STATE_CHARGED
		back = paymentv1.PaymentState_PAYMENT_STATE_REFUNDED
	)
	stock := &inventoryv1.Reservation{State: sold, TotalCents: 500}
	money := &paymentv1.Payment{State: paid, AmountCents: 500}
	all := carried{charged: count{1, 500}, sold: count{1, 500}}
	for _, c := range []struct {
		sentence string
		state    state
		holdings holdings
		carried  carried
		agrees   bool
	}{
		{"confirmed, nothing is forgotten", confirmed, holdings{stock, money}, carried{}, true},
		{"confirmed, the payment is forgotten", confirmed, holdings{stock, nil}, carried{charged: all.charged}, true},
		{"confirmed, everything is forgotten", confirmed, holdings{}, all, true},
		{"confirmed, the payment is neither held nor forgotten", confirmed, holdings{stock, nil}, carried{}, false},
		{"confirmed, the payment is held and forgotten", confirmed, holdings{stock, money}, carried{charged: all.charged}, false},
		{"confirmed, another amount is forgotten", confirmed, holdings{}, carried{charged: count{1, 499}, sold: all.sold}, false},
		{"confirmed, the stock is neither held nor forgotten", confirmed, holdings{nil, money}, carried{}, false},
		{"cancelled, nothing is forgotten", cancelled, holdings{&inventoryv1.Reservation{State: gone, TotalCents: 500}, &paymentv1.Payment{State: back, AmountCents: 500}}, carried{}, true},
		{"cancelled, everything is forgotten", cancelled, holdings{}, carried{}, true},
		{"cancelled, and charged", cancelled, holdings{nil, money}, carried{}, false},
		{"cancelled, and sold", cancelled, holdings{}, carried{sold: all.sold}, false},
	} {
		a := newAudit(c.carried)
		a.order(&order{id: "o", state: c.state, total: 500, pruning: true}, c.holdings)
		if got := a.response(); got.GetConsistent() != c.agrees || (len(got.GetViolations()) == 0) != c.agrees || got.GetConfirmed()+got.GetCancelled() != 1 || got.GetPruned() != 0 {
			t.Errorf("%s: got %v", c.sentence, got)
		}
	}
}

func TestAudit_WhilePruned(t *testing.T) {
	three, four := prunedOrders{3, 300, 1}, prunedOrders{4, 400, 1}
	for _, c := range []struct {
		sentence string
		balances []prunedOrders
		held     count
		want     *orderv1.AuditResponse
		code     codes.Code
		attempts int
	}{
		{"nothing was ever pruned", nil, count{}, &orderv1.AuditResponse{Consistent: true, Confirmed: 1, OrderedCents: 1, ChargedCents: 1}, codes.OK, 1},
		{"pruned orders are part of the totals", []prunedOrders{three}, count{3, 300},
			&orderv1.AuditResponse{Consistent: true, Confirmed: 4, Cancelled: 1, OrderedCents: 301, ChargedCents: 301, Pruned: 4}, codes.OK, 1},
		{"the audit starts again if orders were pruned in the meantime", []prunedOrders{three, four}, count{4, 400},
			&orderv1.AuditResponse{Consistent: true, Confirmed: 5, Cancelled: 1, OrderedCents: 401, ChargedCents: 401, Pruned: 5}, codes.OK, 2},
		{"orders are pruned all the time", []prunedOrders{{1, 1, 0}, {2, 2, 0}, {3, 3, 0}, {4, 4, 0}, {5, 5, 0}}, count{5, 5}, nil, codes.Aborted, auditAttempts},
		{"the balances differ", []prunedOrders{three}, count{3, 200},
			&orderv1.AuditResponse{Confirmed: 4, Cancelled: 1, OrderedCents: 301, ChargedCents: 201, Pruned: 4, Violations: []string{
				"of the pruned orders, 3 are confirmed over 300 cents, 3 are charged over 200, and the stock of 3 is sold over 200"}}, codes.OK, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := &shelf{orders: []string{"b"}, held: []string{"b"}, turn: func() {}, balances: c.balances, forgotten: c.held}
			got, err := books{orders: s, stock: s, money: s, page: 2}.audit(t.Context())
			if status.Code(err) != c.code || got.String() != c.want.String() {
				t.Errorf("got  %v, %v\nwant %v", got, err, c.want)
			}
			if read := len(s.asked) / 3; read != c.attempts {
				t.Errorf("everything was read %d times, want %d", read, c.attempts)
			}
		})
	}
}
