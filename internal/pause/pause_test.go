package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errStop = errors.New("stop")

func TestFor_EndsWithItsContext(t *testing.T) {
	for sentence, c := range map[string]struct {
		d, limit, took time.Duration
		want           error
	}{
		"the time passes":     {time.Second, time.Minute, time.Second, nil},
		"the context ends":    {time.Minute, time.Second, time.Second, context.DeadlineExceeded},
		"there is no waiting": {0, time.Minute, 0, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			start := time.Now()
			if err := For(ctx, c.d); !errors.Is(err, c.want) || time.Since(start) != c.took {
				t.Errorf("%s: %v after %s", sentence, err, time.Since(start))
			}
		})
	}
}

func TestEvery_UntilTheContextEndsOrWorkFails(t *testing.T) {
	for sentence, c := range map[string]struct {
		// failsAt is the number of the call that fails.
		failsAt, calls int
		took           time.Duration
		want           error
	}{
		"the context ends": {0, 10, 10500 * time.Millisecond, nil},
		"the work fails":   {3, 3, 3 * time.Second, errStop},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
			defer cancel()
			start, calls := time.Now(), 0
			err := Every(ctx, time.Second, func(context.Context) error {
				if calls++; calls == c.failsAt {
					return errStop
				}
				return nil
			})
			if !errors.Is(err, c.want) || calls != c.calls || time.Since(start) != c.took {
				t.Errorf("%s: %v after %d calls and %s", sentence, err, calls, time.Since(start))
			}
		})
	}
}

func TestUntil_ReturnsTheFirstResult(t *testing.T) {
	for sentence, c := range map[string]struct {
		// trueAt and failsAt are numbers of calls.
		trueAt, failsAt, calls int
		took                   time.Duration
		want                   error
	}{
		"true at once":     {1, 0, 1, 0, nil},
		"true later":       {4, 0, 4, 3 * time.Second, nil},
		"the check fails":  {4, 3, 3, 2 * time.Second, errStop},
		"the context ends": {0, 0, 11, 10500 * time.Millisecond, context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
			defer cancel()
			start, calls := time.Now(), 0
			err := Until(ctx, time.Second, func(context.Context) (bool, error) {
				if calls++; calls == c.failsAt {
					return false, errStop
				}
				return calls == c.trueAt, nil
			})
			if !errors.Is(err, c.want) || calls != c.calls || time.Since(start) != c.took {
				t.Errorf("%s: %v after %d calls and %s", sentence, err, calls, time.Since(start))
			}
		})
	}
}

func TestUntilWithin_EndsWithItsLimitOrItsContext(t *testing.T) {
	for sentence, c := range map[string]struct {
		limit, ctxLimit, took time.Duration
	}{
		"the limit":   {2500 * time.Millisecond, time.Minute, 2500 * time.Millisecond},
		"the context": {time.Minute, 1500 * time.Millisecond, 1500 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.ctxLimit)
			defer cancel()
			start := time.Now()
			err := UntilWithin(ctx, time.Second, c.limit, func(context.Context) (bool, error) { return false, nil })
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != c.took {
				t.Errorf("%s: %v after %s", sentence, err, time.Since(start))
			}
		})
	}
}
