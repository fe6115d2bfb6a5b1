package governance

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errPanicked is what the caller gets. The details of a panic are in the log only.
var errPanicked = status.Error(codes.Internal, "the handler failed; see its log")

// recovered is deferred. It recovers from a panic, logs and counts it, and sets err.
func recovered(ctx context.Context, log *slog.Logger, metrics *Metrics, method string, err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	log.ErrorContext(ctx, "recovered from a panic", "method", method, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	metrics.panics.WithLabelValues(method).Inc()
	*err = errPanicked
}
