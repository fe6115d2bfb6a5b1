package order

import (
	"fmt"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// mostViolations bounds an AuditResponse.
const mostViolations = 100

// holdings are the reservation and the payment of one order, each nil if there is none.
type holdings struct {
	stock *inventoryv1.Reservation
	money *paymentv1.Payment
}

// count is a number of orders, payments or reservations, and their total.
type count struct{ n, cents int64 }

func (c *count) add(cents int64) {
	c.n++
	c.cents += cents
}

// audit collects the result of comparing orders with their holdings.
type audit struct {
	out orderv1.AuditResponse
	// ordered, charged and sold are what the three services know about all orders that were pruned or are being pruned. The holdings of a single
	// order may be gone, but the sums must agree.
	ordered, charged, sold count
}

// newAudit starts with the orders that were pruned.
func newAudit(c carried) *audit {
	a := &audit{ordered: count{c.orders.confirmed, c.orders.confirmedCents}, charged: c.charged, sold: c.sold}
	a.out.Confirmed, a.out.OrderedCents, a.out.ChargedCents = c.orders.confirmed, c.orders.confirmedCents, c.charged.cents
	a.out.Cancelled, a.out.Pruned = c.orders.cancelled, c.orders.confirmed+c.orders.cancelled
	return a
}

func (a *audit) response() *orderv1.AuditResponse {
	if a.ordered != a.charged || a.ordered != a.sold {
		a.violation("of the pruned orders, %d are confirmed over %d cents, %d are charged over %d, and the stock of %d is sold over %d",
			a.ordered.n, a.ordered.cents, a.charged.n, a.charged.cents, a.sold.n, a.sold.cents)
	}
	a.out.Consistent = len(a.out.GetViolations()) == 0 && a.out.GetOrderedCents() == a.out.GetChargedCents()
	return &a.out
}

func (a *audit) order(o *order, h holdings) {
	r, p := h.stock, h.money
	isCharged := p.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED
	if o.pruning {
		a.marked(o, h)
		return
	}
	switch o.state {
	case confirmed:
		a.out.Confirmed++
		a.out.OrderedCents += o.total
		if isCharged {
			a.out.ChargedCents += p.GetAmountCents()
		}
		if r.GetState() != inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED || r.GetTotalCents() != o.total {
			a.violation("%s is confirmed over %d cents, and its stock is %s over %d", o.id, o.total, r.GetState(), r.GetTotalCents())
		}
		if !isCharged || p.GetAmountCents() != o.total {
			a.violation("%s is confirmed over %d cents, and its payment is %s over %d", o.id, o.total, p.GetState(), p.GetAmountCents())
		}
	case cancelled:
		a.out.Cancelled++
		if r != nil && r.GetState() != inventoryv1.ReservationState_RESERVATION_STATE_RELEASED {
			a.violation("%s is cancelled, and its stock is %s", o.id, r.GetState())
		}
		if isCharged {
			a.violation("%s is cancelled, and its payment is %s", o.id, p.GetState())
		}
	default:
		a.out.InFlight++
	}
}

// marked counts an order that is being pruned, with those of its holdings that are not forgotten yet.
func (a *audit) marked(o *order, h holdings) {
	if o.state == confirmed {
		a.out.Confirmed++
		a.out.OrderedCents += o.total
		a.ordered.add(o.total)
	} else {
		a.out.Cancelled++
	}
	if h.money.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED {
		a.out.ChargedCents += h.money.GetAmountCents()
		a.charged.add(h.money.GetAmountCents())
	}
	if h.stock.GetState() == inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED {
		a.sold.add(h.stock.GetTotalCents())
	}
}

func (a *audit) violation(format string, args ...any) {
	if len(a.out.Violations) < mostViolations {
		a.out.Violations = append(a.out.Violations, fmt.Sprintf(format, args...))
	}
}
