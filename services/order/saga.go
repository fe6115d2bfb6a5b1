package order

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// saga takes an order from state to state. Each step may be done twice, and is done before its state is stored: after a crash, what the
// stored state does not know of is done again, or undone, and does no harm.
//
//	pending ──reserve──> reserved ──charge──> charged ──commit──> confirmed
//	   └────────────────────┴──> cancelling ──refund, release──> cancelled
//
// From charged on it only goes forward. Refund and release also keep a reserve or a charge that is still under way from being done later.
type saga struct {
	store     *store
	inventory inventoryv1.InventoryServiceClient
	payment   paymentv1.PaymentServiceClient
	log       *slog.Logger
	limit     time.Duration // of undoing, for a caller who waits
	at        func(string)  // told each point where a crash must do no harm; for tests
}

type step struct {
	from, to state
	name     string
	do       func(context.Context, *order) error
}

func (s *saga) steps() []step {
	return []step{
		{pending, reserved, "reserve", s.reserve},
		{reserved, charged, "charge", s.charge},
		{charged, confirmed, "commit", s.commit},
	}
}

// undoing is done in this order, whichever steps were done.
func (s *saga) undoing() []step {
	return []step{
		{name: "refund", do: s.refund},
		{name: "release", do: s.release},
	}
}

// run takes an order as far as it gets. The error is the database's or, from charged and cancelling on, that of a step to be done later.
func (s *saga) run(ctx context.Context, o *order) error {
	for _, step := range s.steps() {
		if o.state != step.from {
			continue
		}
		err := s.do(ctx, o, step)
		switch {
		case err == nil:
			if err := s.move(ctx, o, step.to); err != nil {
				return err
			}
		case o.state == charged: // its caller may have been told that it is sold
			return err
		default:
			s.log.InfoContext(ctx, "cancelling", "order", o.id, "step", step.name, "error", err)
			return s.cancel(ctx, o, failureOf(err))
		}
	}
	if o.state == cancelling {
		return s.undo(ctx, o)
	}
	return nil
}

// cancel undoes an order even when its caller is gone.
func (s *saga) cancel(ctx context.Context, o *order, f failure) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), s.limit)
	defer done()
	o.failure = f
	if err := s.move(ctx, o, cancelling); err != nil {
		return err
	}
	return s.undo(ctx, o)
}

func (s *saga) undo(ctx context.Context, o *order) error {
	for _, step := range s.undoing() {
		if err := s.do(ctx, o, step); err != nil {
			return err
		}
	}
	return s.move(ctx, o, cancelled)
}

func (s *saga) do(ctx context.Context, o *order, step step) error {
	s.at("before " + step.name)
	err := step.do(ctx, o)
	s.at("after " + step.name)
	return err
}

func (s *saga) move(ctx context.Context, o *order, to state) error {
	if err := s.store.move(ctx, o, to); err != nil {
		return err
	}
	s.at(string(to))
	return nil
}

func (s *saga) reserve(ctx context.Context, o *order) error {
	req := &inventoryv1.ReserveRequest{OrderId: o.id}
	for _, l := range o.lines {
		req.Lines = append(req.Lines, &inventoryv1.Line{Sku: l.SKU, Quantity: l.Quantity})
	}
	got, err := s.inventory.Reserve(ctx, req)
	if err == nil {
		o.total = got.GetTotalCents()
	}
	return err
}

func (s *saga) charge(ctx context.Context, o *order) error {
	_, err := s.payment.Charge(ctx, &paymentv1.ChargeRequest{OrderId: o.id, UserId: o.userID, AmountCents: o.total})
	return err
}

func (s *saga) commit(ctx context.Context, o *order) error {
	_, err := s.inventory.Commit(ctx, &inventoryv1.CommitRequest{OrderId: o.id})
	return err
}

func (s *saga) refund(ctx context.Context, o *order) error {
	_, err := s.payment.Refund(ctx, &paymentv1.RefundRequest{OrderId: o.id})
	return err
}

func (s *saga) release(ctx context.Context, o *order) error {
	_, err := s.inventory.Release(ctx, &inventoryv1.ReleaseRequest{OrderId: o.id})
	return err
}

// interrupted is why an order is cancelled whose worker died.
var interrupted = failure{code: codes.Unavailable, reason: "ORDER_INTERRUPTED", message: "the order was interrupted and undone; try again", again: true}
