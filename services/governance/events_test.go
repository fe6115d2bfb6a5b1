package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

func TestEvents_After(t *testing.T) {
	for _, c := range []struct {
		name   string
		added  int
		after  uint64
		want   []uint64
		missed uint64
	}{
		{"nothing happened yet", 0, 0, nil, 0},
		{"a new reader gets all events", 3, 0, []uint64{1, 2, 3}, 0},
		{"a returning reader gets only new events", 3, 2, []uint64{3}, 0},
		{"a reader that has all events gets none", 3, 3, nil, 0},
		{"a full ring loses nothing", 4, 0, []uint64{1, 2, 3, 4}, 0},
		{"a slow reader learns how many it missed", 10, 3, []uint64{7, 8, 9, 10}, 3},
		{"a new reader learns how many were overwritten", 6, 0, []uint64{3, 4, 5, 6}, 2},
		{"a number of another boot counts as 0", 3, 99, []uint64{1, 2, 3}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := NewEvents(4)
			for i := range c.added {
				e.Add(Event{Detail: fmt.Sprint(i)})
			}
			kept, missed, _ := e.After(c.after)
			var got []uint64
			for _, ev := range kept {
				got = append(got, ev.Seq)
				if ev.Detail != fmt.Sprint(ev.Seq-1) || ev.Boot != e.Boot() || ev.Time.IsZero() {
					t.Errorf("event %d is %+v", ev.Seq, ev)
				}
			}
			if !slices.Equal(got, c.want) || missed != c.missed {
				t.Errorf("got %v and %d missed, want %v and %d", got, missed, c.want, c.missed)
			}
		})
	}
}

func TestEvents_WatchSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEvents(4)
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		proceed := make(chan struct{})
		ended := make(chan error)
		go func() {
			ended <- e.Watch(ctx, 0, func(ev Event) error {
				// A slow reader.
				<-proceed
				got = append(got, fmt.Sprintf("%d %s", ev.Seq, ev.Kind))
				return nil
			})
		}()
		e.Add(Event{Kind: KindLoad})
		synctest.Wait()
		for range 9 {
			// This would deadlock if Add waited for the reader.
			e.Add(Event{Kind: KindLoad})
		}
		close(proceed)
		synctest.Wait()
		e.Add(Event{Kind: KindLoad})
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error("Watch returned", err)
		}
		want := []string{"1 load", "6 missed", "7 load", "8 load", "9 load", "10 load", "11 load"}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestEvents_BootsDiffer(t *testing.T) {
	if first, second := NewEvents(1).Boot(), NewEvents(1).Boot(); first == second {
		t.Error("both boots have the same id")
	}
}
