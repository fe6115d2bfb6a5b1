package order

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// state is where an order is in its saga.
type state string

const (
	pending    state = "pending"
	reserved   state = "reserved"
	charged    state = "charged"
	confirmed  state = "confirmed"
	cancelling state = "cancelling"
	cancelled  state = "cancelled"
)

var protoStates = map[state]orderv1.OrderState{
	pending:    orderv1.OrderState_ORDER_STATE_PENDING,
	reserved:   orderv1.OrderState_ORDER_STATE_RESERVED,
	charged:    orderv1.OrderState_ORDER_STATE_CHARGED,
	confirmed:  orderv1.OrderState_ORDER_STATE_CONFIRMED,
	cancelling: orderv1.OrderState_ORDER_STATE_CANCELLING,
	cancelled:  orderv1.OrderState_ORDER_STATE_CANCELLED,
}

// order is a row of orders.
type order struct {
	number       int64
	id           string
	userID, name string
	lines        []line
	total        int64 // cents; 0 until stock is reserved
	state        state
	failure      failure
	owner        string // proves that this worker has the lease
	created      time.Time
}

// finished says that the order will not change any more.
func (o *order) finished() bool { return o.state == confirmed || o.state == cancelled }

// mayBeTriedAgain says that the order was undone for a reason that may be gone.
func (o *order) mayBeTriedAgain() bool { return o.state == cancelled && o.failure.again }

type line struct {
	SKU      string `json:"sku"`
	Quantity int32  `json:"quantity"`
}

// failure is why an order was cancelled.
type failure struct {
	code            codes.Code
	reason, message string
	again           bool // the same request may succeed later
}

func (f failure) err() error {
	switch {
	case f.reason == "":
		return status.Error(f.code, f.message)
	case f.again:
		return refusal.New(f.code, f.reason, f.message, refusal.After(time.Second))
	}
	return refusal.New(f.code, f.reason, f.message)
}

// ReasonUndone is the reason of an order that failed in a way that may be different next time.
const ReasonUndone = "ORDER_UNDONE"

// failureOf reads the answer of a step. A refusal stands; anything else may be different next time, or may even have been done. Its own
// reason stays inside: that our breaker to another service is open must not look like a caller's breaker.
func failureOf(err error) failure {
	st := status.Convert(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		st = status.New(codes.DeadlineExceeded, "the deadline passed")
	case errors.Is(err, context.Canceled):
		st = status.New(codes.Canceled, "the caller gave up")
	}
	if stands(st.Code()) {
		return failure{code: st.Code(), reason: refusal.Reason(err), message: st.Message()}
	}
	return failure{code: st.Code(), reason: ReasonUndone, message: st.Message(), again: true}
}

func stands(code codes.Code) bool {
	switch code {
	case codes.FailedPrecondition, codes.NotFound, codes.InvalidArgument, codes.AlreadyExists, codes.OutOfRange, codes.PermissionDenied, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// answer is what a caller gets: UNAVAILABLE when it may be tried again, unless it was the caller's own time that was up.
func (f failure) answer(caller context.Context) error {
	if f.again && (!f.outOfTime() || caller.Err() == nil) {
		f.code = codes.Unavailable
	}
	return f.err()
}

func (f failure) outOfTime() bool {
	return f.code == codes.DeadlineExceeded || f.code == codes.Canceled
}

// whoseTime is what a caller gets of the store's error: when time was up, the answer to whose it was. All else stands as the store says it.
func whoseTime(caller context.Context, err error) error {
	if f := failureOf(err); f.outOfTime() {
		return f.answer(caller)
	}
	return err
}

func (o *order) proto() *orderv1.Order {
	p := &orderv1.Order{OrderId: o.id, UserId: o.userID, UserName: o.name, TotalCents: o.total, State: protoStates[o.state], CreateTime: timestamppb.New(o.created)}
	for _, l := range o.lines {
		p.Lines = append(p.Lines, &orderv1.OrderLine{Sku: l.SKU, Quantity: l.Quantity})
	}
	if o.state == cancelling || o.state == cancelled {
		p.Reason = o.failure.reason
		if p.Reason == "" {
			p.Reason = o.failure.code.String()
		}
	}
	return p
}
