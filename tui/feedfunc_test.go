package tui

import (
	"context"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// feedFunc makes a Feed of a function.
type feedFunc func(ctx context.Context) (telemetry.Snapshot, error)

func (f feedFunc) Snapshot(ctx context.Context) (telemetry.Snapshot, error) { return f(ctx) }
