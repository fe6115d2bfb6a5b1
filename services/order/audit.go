package order

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

const mostViolations = 100

// Audit reads orders first, then stock and money: what an order has once it is finished does not change any more, so what is read later
// must agree. A holding of an order that was not read is of one begun meanwhile, if there is such an order.
func (s *Service) Audit(ctx context.Context, _ *orderv1.AuditRequest) (*orderv1.AuditResponse, error) {
	a := audit{orders: map[string]*order{}}
	var before int64
	for {
		page, err := s.store.page(ctx, "", before, 500)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			a.orders[o.id], before = o, o.number
		}
		if len(page) < 500 {
			break
		}
	}
	reservations, err := collect(s.saga.inventory.ListReservations(ctx, &inventoryv1.ListReservationsRequest{}))
	if err != nil {
		return nil, fmt.Errorf("listing reservations: %w", err)
	}
	payments, err := collect(s.saga.payment.ListPayments(ctx, &paymentv1.ListPaymentsRequest{}))
	if err != nil {
		return nil, fmt.Errorf("listing payments: %w", err)
	}
	a.known = func(id string) bool {
		_, err := s.store.get(ctx, id)
		return err == nil
	}
	return a.judge(reservations, payments), nil
}

func collect[T any](stream grpc.ServerStreamingClient[T], err error) (all []*T, _ error) {
	for err == nil {
		var item *T
		if item, err = stream.Recv(); err == nil {
			all = append(all, item)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

// audit compares what was read; it is pure but for known.
type audit struct {
	orders map[string]*order
	known  func(id string) bool // whether there is an order that was not read
	out    orderv1.AuditResponse
}

func (a *audit) judge(reservations []*inventoryv1.Reservation, payments []*paymentv1.Payment) *orderv1.AuditResponse {
	stock, money := map[string]*inventoryv1.Reservation{}, map[string]*paymentv1.Payment{}
	for _, r := range reservations {
		stock[r.GetOrderId()] = r
		if r.GetState() != inventoryv1.ReservationState_RESERVATION_STATE_RELEASED {
			a.holder(r.GetOrderId(), "stock")
		}
	}
	for _, p := range payments {
		money[p.GetOrderId()] = p
		if p.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED {
			a.holder(p.GetOrderId(), "money")
		}
	}
	for id, o := range a.orders {
		a.order(o, stock[id], money[id])
	}
	a.out.Consistent = len(a.out.GetViolations()) == 0 && a.out.GetOrderedCents() == a.out.GetChargedCents()
	return &a.out
}

// holder finds what belongs to no order.
func (a *audit) holder(id, what string) {
	if a.orders[id] == nil && !a.known(id) {
		a.violation("%s is held for %s, which is no order", what, id)
	}
}

func (a *audit) order(o *order, r *inventoryv1.Reservation, p *paymentv1.Payment) {
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
