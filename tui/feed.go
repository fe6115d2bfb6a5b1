package tui

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Feed is all the screen reads. Snapshot must return soon after ctx ends.
type Feed interface {
	Snapshot(ctx context.Context) (telemetry.Snapshot, error)
}

// read asks the feed once. A feed that panics is a feed that failed: the screen outlives it.
func read(ctx context.Context, feed Feed) (snap telemetry.Snapshot, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the feed panicked: %v", p)
		}
	}()
	return feed.Snapshot(ctx)
}
