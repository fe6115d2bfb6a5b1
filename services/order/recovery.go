package order

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// recovery finishes orders whose worker died or gave up.
type recovery struct {
	saga   *saga
	every  time.Duration
	tracer trace.Tracer
}

// recoverAtOnce is the number of orders that are recovered in parallel. It is low, to leave connections of the pool to callers.
const recoverAtOnce = 2

func (r *recovery) run(ctx context.Context) error {
	return governance.Every(ctx, r.every, func(ctx context.Context) error {
		r.sweep(ctx)
		return nil
	})
}

// run sweeps at regular intervals until ctx ends.

// sweep finishes all orders whose lease has ended. An order that cannot be finished keeps its new lease, and a sweep after that tries again.
func (r *recovery) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		left, err := r.saga.store.takeUnfinished(ctx, 4*recoverAtOnce)
		if err != nil || len(left) == 0 {
			return
		}
		var g errgroup.Group
		g.SetLimit(recoverAtOnce)
		for _, o := range left {
			g.Go(func() error {
				// An order in progress is finished; the others wait until another worker takes them over.
				if ctx.Err() == nil {
					r.finish(ctx, o)
				}
				return nil
			})
		}
		// finish logs its errors.
		_ = g.Wait()
	}
}

func (r *recovery) finish(ctx context.Context, o *order) {
	ctx, span := r.tracer.Start(ctx, "recover order", trace.WithAttributes(attribute.String("order", o.id), attribute.String("state", string(o.state))))
	defer span.End()
	from := o.state
	var err error
	if o.state == pending || o.state == reserved {
		err = r.saga.cancel(ctx, o, interrupted)
	} else {
		err = r.saga.run(ctx, o)
	}
	if err != nil {
		r.saga.log.WarnContext(ctx, "an order waits for its recovery", "order", o.id, "state", o.state, "error", err)
		return
	}
	r.saga.log.InfoContext(ctx, "recovered an order", "order", o.id, "from", from, "to", o.state)
}
