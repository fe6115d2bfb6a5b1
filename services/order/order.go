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

// state is the progress of an order in its saga.
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

// order is a row of the table orders.
type order struct {
	number       int64
	id           string
	userID, name string
	lines        []line
	// total is in cents, and 0 until stock is reserved.
	total   int64
	state   state
	failure failure
	// owner proves that this worker has the lease.
	owner   string
	created time.Time
	// pruning means that its payment and its reservation may have been deleted already.
	pruning bool
}

// finished reports whether the order will not change any more.
func (o *order) finished() bool { return o.state == confirmed || o.state == cancelled }

// canRetry reports whether the order was cancelled for a reason that may have disappeared.
func (o *order) canRetry() bool { return o.state == cancelled && o.failure.retryable }

type line struct {
	SKU      string `json:"sku"`
	Quantity int32  `json:"quantity"`
}

// failure is the reason why an order was cancelled.
type failure struct {
	code            codes.Code
	reason, message string
	// retryable means that the same request may succeed later.
	retryable bool
}

func (f failure) err() error {
	switch {
	case f.reason == "":
		return status.Error(f.code, f.message)
	case f.retryable:
		return refusal.New(f.code, f.reason, f.message, refusal.After(time.Second))
	}
	return refusal.New(f.code, f.reason, f.message)
}

// ReasonUndone is the reason of an order that was undone after a failure that may not happen again.
const ReasonUndone = "ORDER_UNDONE"

// failureOf converts the error of a step. A refusal is final. Any other error may not happen again, and the step may even have been done. The
// reason of such an error is dropped: an open breaker between us and another service must not look like a breaker of the caller.
func failureOf(err error) failure {
	st := status.Convert(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		st = status.New(codes.DeadlineExceeded, "the deadline passed")
	case errors.Is(err, context.Canceled):
		st = status.New(codes.Canceled, "the caller gave up")
	}
	if isFinal(st.Code()) {
		return failure{code: st.Code(), reason: refusal.Reason(err), message: st.Message()}
	}
	return failure{code: st.Code(), reason: ReasonUndone, message: st.Message(), retryable: true}
}

// isFinal reports whether repeating a call that returned this code is pointless.
func isFinal(code codes.Code) bool {
	switch code {
	case codes.FailedPrecondition, codes.NotFound, codes.InvalidArgument, codes.AlreadyExists, codes.OutOfRange, codes.PermissionDenied, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// errFor returns the error for the caller: UNAVAILABLE if the request may be repeated, unless the caller's own deadline has passed.
func (f failure) errFor(callerCtx context.Context) error {
	if f.retryable && (!f.isTimeout() || callerCtx.Err() == nil) {
		f.code = codes.Unavailable
	}
	return f.err()
}

func (f failure) isTimeout() bool {
	return f.code == codes.DeadlineExceeded || f.code == codes.Canceled
}

// timeoutStatus converts an error of the store: an expired deadline becomes UNAVAILABLE if it was ours and stays DEADLINE_EXCEEDED if it was
// the caller's. Other errors stay as they are.
func timeoutStatus(callerCtx context.Context, err error) error {
	if f := failureOf(err); f.isTimeout() {
		return f.errFor(callerCtx)
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
