package tui

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// read reads one source once. A panic of the source is returned as an error, so that it does not end the screen.
func read(ctx context.Context, source telemetry.Reader, now func() time.Time) (r telemetry.Reading) {
	r = telemetry.Reading{Source: source.Source, At: now()}
	defer func() {
		if p := recover(); p != nil {
			r.Err = fmt.Errorf("the feed panicked: %v", p)
		}
	}()
	r.Data, r.Err = source.Read(ctx)
	return r
}
