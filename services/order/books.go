package order

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// auditPage is the number of orders, with their holdings, that an audit keeps in memory at a time.
const auditPage = 500

// Audit reads page by page, each time the orders before their stock and payments. A finished order and its holdings do not change any more,
// so what is read later must agree with it. A holding of an order that was not read belongs to an order placed during the audit, if that
// order exists. If orders were pruned in the meantime, what was read is of different times, and the audit starts again.
func (s *Service) Audit(ctx context.Context, _ *orderv1.AuditRequest) (*orderv1.AuditResponse, error) {
	return books{orders: s.store, stock: s.saga.inventory, money: s.saga.payment, page: auditPage}.audit(ctx)
}

// books gives an audit access to everything that is compared, each source sorted by order id.
type books struct {
	orders orderList
	stock  inventoryv1.InventoryServiceClient
	money  paymentv1.PaymentServiceClient
	page   int
}

type orderList interface {
	ordersAfter(ctx context.Context, id string, size int) ([]*order, error)
	get(ctx context.Context, id, owner string) (*order, error)
	pruned(ctx context.Context) (prunedOrders, error)
}

// auditAttempts is how often an audit reads everything. The pauses of the pruner are much longer than an audit, so a second attempt is enough,
// unless several replicas prune many orders.
const auditAttempts = 4

// errPruned means that orders were pruned during each attempt.
var errPruned = refusal.New(codes.Aborted, "ORDERS_PRUNED", "orders were pruned while they were read; try again", refusal.After(time.Second))

func (b books) audit(ctx context.Context) (*orderv1.AuditResponse, error) {
	before, err := b.carried(ctx)
	if err != nil {
		return nil, err
	}
	for range auditAttempts {
		a := newAudit(before)
		if err := b.read(ctx, a); err != nil {
			return nil, err
		}
		after, err := b.carried(ctx)
		if err != nil {
			return nil, err
		}
		if after == before {
			return a.response(), nil
		}
		before = after
	}
	return nil, errPruned
}

// carried is the balance of everything that was deleted. No part of it ever returns to an earlier value: each deletion increases a number.
type carried struct {
	orders        prunedOrders
	charged, sold count
	// payments and reservations are those in any state.
	payments, reservations int64
}

func (b books) carried(ctx context.Context) (carried, error) {
	orders, err := b.orders.pruned(ctx)
	if err != nil {
		return carried{}, err
	}
	money, err := b.money.GetForgottenPayments(ctx, &paymentv1.GetForgottenPaymentsRequest{})
	if err != nil {
		return carried{}, fmt.Errorf("reading the balance of forgotten payments: %w", err)
	}
	stock, err := b.stock.GetForgottenReservations(ctx, &inventoryv1.GetForgottenReservationsRequest{})
	if err != nil {
		return carried{}, fmt.Errorf("reading the balance of forgotten reservations: %w", err)
	}
	return carried{
		orders:  orders,
		charged: count{money.GetCharged(), money.GetChargedCents()}, payments: money.GetPayments(),
		sold: count{stock.GetSold(), stock.GetSoldCents()}, reservations: stock.GetReservations(),
	}, nil
}

// read compares everything that is not deleted.
func (b books) read(ctx context.Context, a *audit) error {
	counters, err := b.stock.AuditStock(ctx, &inventoryv1.AuditStockRequest{})
	if err != nil {
		return fmt.Errorf("auditing stock: %w", err)
	}
	for _, v := range counters.GetViolations() {
		a.violation("%s", v)
	}
	after := ""
	for {
		orders, err := b.orders.ordersAfter(ctx, after, b.page)
		if err != nil {
			return err
		}
		// The last page also covers everything beyond its last order.
		until := ""
		if len(orders) == b.page {
			until = orders[len(orders)-1].id
		}
		if err := b.compare(ctx, a, orders, after, until); err != nil {
			return err
		}
		if until == "" {
			return nil
		}
		after = until
	}
}

// compare checks a page of orders against what is held for the ids in (after, until].
func (b books) compare(ctx context.Context, a *audit, orders []*order, after, until string) error {
	page := make(map[string]*holdings, len(orders))
	for _, o := range orders {
		page[o.id] = &holdings{}
	}
	reservations, err := b.stock.ListReservations(ctx, &inventoryv1.ListReservationsRequest{AfterOrderId: after, UntilOrderId: until})
	err = each(reservations, err, func(r *inventoryv1.Reservation) error {
		if of := page[r.GetOrderId()]; of != nil {
			of.stock = r
			return nil
		}
		return b.orphan(ctx, a, r.GetOrderId(), "stock", r.GetState() != inventoryv1.ReservationState_RESERVATION_STATE_RELEASED)
	})
	if err != nil {
		return fmt.Errorf("listing reservations: %w", err)
	}
	payments, err := b.money.ListPayments(ctx, &paymentv1.ListPaymentsRequest{AfterOrderId: after, UntilOrderId: until})
	err = each(payments, err, func(p *paymentv1.Payment) error {
		if of := page[p.GetOrderId()]; of != nil {
			of.money = p
			return nil
		}
		return b.orphan(ctx, a, p.GetOrderId(), "money", p.GetState() == paymentv1.PaymentState_PAYMENT_STATE_CHARGED)
	})
	if err != nil {
		return fmt.Errorf("listing payments: %w", err)
	}
	for _, o := range orders {
		a.order(o, *page[o.id])
	}
	return nil
}

// each calls use for every item of a stream.
func each[T any](stream grpc.ServerStreamingClient[T], err error, use func(*T) error) error {
	for err == nil {
		var item *T
		if item, err = stream.Recv(); err == nil {
			err = use(item)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// orphan reports stock or money that is held for an order that does not exist.
func (b books) orphan(ctx context.Context, a *audit, id, what string, held bool) error {
	if !held {
		return nil
	}
	_, err := b.orders.get(ctx, id, "")
	if status.Code(err) == codes.NotFound {
		a.violation("%s is held for %s, which is no order", what, id)
		return nil
	}
	return err
}
