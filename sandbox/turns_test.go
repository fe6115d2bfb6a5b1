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

func TestTheLowestRankIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns
		if err := all.take(t.Context(), 9); err != nil {
			t.Fatal(err)
		}
		gaveUp, cancel := context.WithCancel(t.Context())
		var got []string
		for _, w := range []struct {
			name string
			ctx  context.Context
			rank int
		}{
			{"third", t.Context(), 3}, {"first", t.Context(), 1}, {"nobody", gaveUp, 0}, {"second", t.Context(), 2}, {"second too", t.Context(), 2},
		} {
			go func() {
				err := all.take(w.ctx, w.rank)
				if w.ctx == gaveUp {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("who gave up got %v", err)
					}
					return
				}
				if err != nil {
					t.Error(err)
				}
				got = append(got, w.name)
				all.give()
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		if len(got) > 0 {
			t.Errorf("%v had a turn that was taken", got)
		}
		all.give()
		synctest.Wait()
		if diff := cmp.Diff([]string{"first", "second", "second too", "third"}, got); diff != "" {
			t.Errorf("turns (-want +got):\n%s", diff)
		}
		if err := all.take(t.Context(), 5); err != nil { // nobody kept it
			t.Error(err)
		}
	})
}

// TestATurnIsNeverLost has those who wait give up at any moment, that of their turn too.
func TestATurnIsNeverLost(t *testing.T) {
	var all turns
	var inside atomic.Int32
	var everybody sync.WaitGroup
	for n := range 50 {
		everybody.Go(func() {
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				if all.take(ctx, n%3) == nil {
					if inside.Add(1) != 1 {
						t.Error("two have a turn")
					}
					inside.Add(-1)
					all.give()
				}
			}
		})
	}
	everybody.Wait()
	if all.taken || len(all.waiting) > 0 {
		t.Errorf("taken: %v, %d wait", all.taken, len(all.waiting))
	}
}
