package order

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// saga takes an order from state to state. Every step is idempotent and is done before its new state is stored: if a crash happens in
// between, the step is repeated or undone, which is harmless.
//
//	pending ──reserve──> reserved ──charge──> charged ──commit──> confirmed
//	   └────────────────────┴──> cancelling ──refund, release──> cancelled
//
// After charged an order only moves forward. Refund and release also block a reserve or a charge that is still on its way.
type saga struct {
	store     *store
	inventory inventoryv1.InventoryServiceClient
	payment   paymentv1.PaymentServiceClient
	log       *slog.Logger
	// limit is how long undoing may take while a caller waits.
	limit time.Duration
	// at is called at each point where a crash must be harmless; for tests.
	at func(string)
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

// undoing lists the steps that undo an order. All of them are done, in this order, whatever was done before.
func (s *saga) undoing() []step {
	return []step{
		{name: "refund", do: s.refund},
		{name: "release", do: s.release},
	}
}

// run takes an order as far as possible. It returns an error of the database or, in the states charged and cancelling, of a step that has to
// be repeated later.
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
		// Its caller may have been answered that the order is sold.
		case o.state == charged:
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

// cancel undoes an order, even if its caller is gone.
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

// interrupted is why an order whose worker died is cancelled.
var interrupted = failure{code: codes.Unavailable, reason: "ORDER_INTERRUPTED", message: "the order was interrupted and undone; try again", retryable: true}
