package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
)

func TestPause_ReturnsTheCauseOfAnEarlyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("a limit was exceeded")
		time.AfterFunc(time.Second, func() { cancel(why) })
		started := clock.Wall{}.Now()
		if err := clock.Pause(ctx, clock.Wall{}, time.Millisecond); err != nil {
			t.Error(err)
		}
		if err := clock.Pause(ctx, clock.Wall{}, time.Hour); !errors.Is(err, why) || time.Since(started) != time.Second {
			t.Errorf("%v after %s", err, time.Since(started))
		}
		if err := clock.Pause(ctx, clock.Wall{}, 0); !errors.Is(err, why) {
			t.Error(err)
		}
	})
}
