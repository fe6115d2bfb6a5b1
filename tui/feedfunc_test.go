package tui

import (
	"context"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// feedFunc makes a Feed of a function.
type feedFunc func(ctx context.Context, source telemetry.Source) (telemetry.Snapshot, error)

func (f feedFunc) Read(ctx context.Context, source telemetry.Source) (telemetry.Snapshot, error) {
	return f(ctx, source)
}
