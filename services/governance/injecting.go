package governance

import (
	"context"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
)

// inject applies the faults of the policy to an outgoing call.
func (c *clientCall) inject() (cut *fault.Cut, err error) {
	if len(c.rule.Faults) == 0 {
		// Return before the metadata is read, because reading copies it.
		return nil, nil
	}
	md, _ := metadata.FromOutgoingContext(c.ctx)
	return fault.Apply(c.ctx, c.rule.Faults, md.Get, rand.Float64, func(f *fault.Fault) {
		if f.Shadow {
			c.method.shadows.injected(c.ctx, f)
			return
		}
		recordFault(c.ctx, c.client.cfg.Metrics, "client", c.method.method, f)
	})
}

// inject applies the faults of the policy to an incoming call.
func (c *serverCall) inject() (cut *fault.Cut, err error) {
	if len(c.rule.Faults) == 0 {
		return nil, nil
	}
	get := func(key string) []string { return metadata.ValueFromIncomingContext(c.ctx, key) }
	return fault.Apply(c.ctx, c.rule.Faults, get, c.server.cfg.random, func(f *fault.Fault) {
		if f.Shadow {
			c.method.shadows.injected(c.ctx, f)
			return
		}
		recordFault(c.ctx, c.server.cfg.Metrics, "server", c.method.name, f)
	})
}

func recordFault(ctx context.Context, metrics *Metrics, side, method string, f *fault.Fault) {
	metrics.faults.WithLabelValues(side, method, f.Name, f.Kind).Inc()
	trace.SpanFromContext(ctx).AddEvent("fault injected", trace.WithAttributes(
		attribute.String("fault", f.Name), attribute.String("kind", f.Kind), attribute.String("side", side)))
}
