package live

import (
	"context"
	"errors"
	"fmt"

	"github.com/grpc-sandbox/sandbox/sandbox/observe"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// metrics implements scenarios.Metrics with the Prometheus of the cluster.
type metrics struct{ prometheus *observe.Prometheus }

func (m metrics) Value(ctx context.Context, query string) (float64, error) {
	v, err := m.prometheus.Value(ctx, query)
	if errors.Is(err, observe.ErrBadQuery) {
		return 0, fmt.Errorf("%w: %w", target.ErrBadQuery, err)
	}
	return v, err
}
