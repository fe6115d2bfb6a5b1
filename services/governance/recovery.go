package governance

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errPanicked is what a caller is told: what went wrong inside stays in the log.
var errPanicked = status.Error(codes.Internal, "the handler failed; see its log")

func recovered(ctx context.Context, log *slog.Logger, metrics *Metrics, method string, err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	log.ErrorContext(ctx, "recovered from a panic", "method", method, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	metrics.panics.WithLabelValues(method).Inc()
	*err = errPanicked
}
