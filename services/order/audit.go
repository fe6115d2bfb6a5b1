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

// audit collects the result of comparing orders with their holdings.
type audit struct{ out orderv1.AuditResponse }

func (a *audit) response() *orderv1.AuditResponse {
	a.out.Consistent = len(a.out.GetViolations()) == 0 && a.out.GetOrderedCents() == a.out.GetChargedCents()
	return &a.out
}

func (a *audit) order(o *order, h holdings) {
	r, p := h.stock, h.money
	isCharged := p.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED
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

func (a *audit) violation(format string, args ...any) {
	if len(a.out.Violations) < mostViolations {
		a.out.Violations = append(a.out.Violations, fmt.Sprintf(format, args...))
	}
}
