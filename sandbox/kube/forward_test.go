package kube

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

func TestAForwardCanBeClosedByEveryoneWhoHoldsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := startForward("a", stop, func() error { <-ctx.Done(); return ctx.Err() })
		synctest.Wait()
		if f.Ended() {
			t.Error("it has ended before anybody closed it")
		}
		var holders sync.WaitGroup
		for range 3 {
			holders.Go(f.Close)
		}
		holders.Wait()
		f.Close()
		if !f.Ended() {
			t.Error("it goes on after Close")
		}
	})
}

func TestAForwardWhosePodIsGoneHasEndedForEveryAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, stop := context.WithCancel(t.Context())
		f := startForward("a", stop, func() error { return errors.New("lost connection to pod") })
		synctest.Wait()
		for range 3 {
			if !f.Ended() {
				t.Error("it goes on")
			}
		}
		f.Close()
	})
}
