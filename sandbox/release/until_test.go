package release

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestUntil_ReturnsOnCancelWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		mute := make(chan struct{})
		go func() { synctest.Wait(); cancel() }()
		if _, err := until(ctx, func() (int, error) { <-mute; return 0, nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		close(mute)
		broken := errors.New("broken")
		if got, err := until(t.Context(), func() (int, error) { return 7, broken }); got != 7 || !errors.Is(err, broken) {
			t.Errorf("got %d, %v", got, err)
		}
	})
}
