package pgtest

import (
	"context"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// poll calls done until it returns true, with a pause of interval between two calls. It returns false if ctx ends first.
func poll(ctx context.Context, interval time.Duration, done func() bool) bool {
	return pause.Until(ctx, interval, func(context.Context) (bool, error) { return done(), nil }) == nil
}
