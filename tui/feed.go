package tui

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// Feed is all the screen reads. Read returns the part of a snapshot that one source has, and returns soon after ctx ends. The sources are read
// concurrently, so that one that does not answer does not hold up the others.
type Feed interface {
	Read(ctx context.Context, source telemetry.Source) (telemetry.Snapshot, error)
}

// read asks one source once. A feed that panics is a feed that failed: the screen outlives it.
func read(ctx context.Context, feed Feed, source telemetry.Source) (snap telemetry.Snapshot, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the feed panicked: %v", p)
		}
	}()
	return feed.Read(ctx, source)
}
