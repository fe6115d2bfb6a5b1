package sandbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestPrioritySem_LowestRankIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all prioritySem
		if err := all.acquire(t.Context(), 9); err != nil {
			t.Fatal(err)
		}
		gaveUp, cancel := context.WithCancel(t.Context())
		var got []string
		for _, w := range []struct {
			name string
			ctx  context.Context
			rank int
		}{
			{"third", t.Context(), 3}, {"first", t.Context(), 1}, {"cancelled", gaveUp, 0}, {"second", t.Context(), 2}, {"second too", t.Context(), 2},
		} {
			go func() {
				err := all.acquire(w.ctx, w.rank)
				if w.ctx == gaveUp {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("the cancelled caller got %v", err)
					}
					return
				}
				if err != nil {
					t.Error(err)
				}
				got = append(got, w.name)
				all.release()
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		if len(got) > 0 {
			t.Errorf("%v got the permit while it was taken", got)
		}
		all.release()
		synctest.Wait()
		if diff := cmp.Diff([]string{"first", "second", "second too", "third"}, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		// The permit is free again.
		if err := all.acquire(t.Context(), 5); err != nil {
			t.Error(err)
		}
	})
}

// TestPrioritySem_CancelDoesNotLoseThePermit cancels waiting callers at random times, including the moment at which they get the permit.
func TestPrioritySem_CancelDoesNotLoseThePermit(t *testing.T) {
	var all prioritySem
	var inside atomic.Int32
	var callers sync.WaitGroup
	for n := range 50 {
		callers.Go(func() {
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				if all.acquire(ctx, n%3) == nil {
					if inside.Add(1) != 1 {
						t.Error("two callers have the permit")
					}
					inside.Add(-1)
					all.release()
				}
			}
		})
	}
	callers.Wait()
	if all.taken || len(all.waiting) > 0 {
		t.Errorf("taken: %v, %d wait", all.taken, len(all.waiting))
	}
}
