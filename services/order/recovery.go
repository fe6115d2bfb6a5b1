package order

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// recovery finishes the orders that nobody works on any more: their worker died, or had to leave them.
type recovery struct {
	saga   *saga
	every  time.Duration
	tracer trace.Tracer
}

// atOnce is how many orders are finished at the same time, so that recovery does not take the pool from callers.
const atOnce = 2

func (r *recovery) run(ctx context.Context) error {
	return governance.Every(ctx, r.every, func(ctx context.Context) error {
		r.sweep(ctx)
		return nil
	})
}

// sweep leaves what it cannot finish: the lease runs out, and a later sweep tries again.
func (r *recovery) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		left, err := r.saga.store.takeUnfinished(ctx, 4*atOnce)
		if err != nil || len(left) == 0 {
			return
		}
		var g errgroup.Group
		g.SetLimit(atOnce)
		for _, o := range left {
			g.Go(func() error {
				if ctx.Err() == nil { // what is begun is finished; the rest is left to whoever comes after us
					r.finish(ctx, o)
				}
				return nil
			})
		}
		_ = g.Wait() // finish reports by itself
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
