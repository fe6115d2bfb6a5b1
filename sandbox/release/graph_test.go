package release

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

func TestInOrder_WaitsOnlyForNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		var mu sync.Mutex
		ended := map[string]time.Duration{}
		node := func(name string, seconds int, needs ...string) Node {
			return Node{Name: name, Needs: needs, Do: func(ctx context.Context) error {
				if err := pause.For(ctx, time.Duration(seconds)*time.Second); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				ended[name] = time.Since(started)
				return nil
			}}
		}
		err := InOrder(t.Context(), []Node{
			node("last", 1, "left", "right"), node("left", 2, "first"), node("right", 3, "first"), node("alone", 1), node("first", 4),
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int{
			"first": 4, // needs nothing
			"alone": 1, // needs nothing, and does not wait for first
			"left":  6, // after first
			"right": 7, // after first, concurrently with left
			"last":  8, // after both
		} {
			if ended[name] != time.Duration(want)*time.Second {
				t.Errorf("%s ended after %s, want %d s", name, ended[name], want)
			}
		}
	})
}

func TestInOrder_RefusesInvalidGraphs(t *testing.T) {
	for _, c := range []struct {
		sentence string
		nodes    []Node
		fails    string
	}{
		{"a circle", []Node{{Name: "a", Needs: []string{"b"}}, {Name: "b", Needs: []string{"c"}}, {Name: "c", Needs: []string{"a"}}}, "needs itself"},
		{"a release that needs itself", []Node{{Name: "a", Needs: []string{"a"}}}, "a needs itself"},
		{"a need that is not in the catalog", []Node{{Name: "a", Needs: []string{"other"}}}, "a needs other, which is not in the catalog"},
		{"a name that appears twice", []Node{{Name: "a"}, {Name: "a"}}, "a appears twice"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			ran := false
			for n := range c.nodes {
				c.nodes[n].Do = func(context.Context) error { ran = true; return nil }
			}
			err := InOrder(t.Context(), c.nodes)
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v", err)
			}
			if ran {
				t.Error("something was done all the same")
			}
		})
	}
}

func TestInOrder_StopsAtTheFirstFailure(t *testing.T) {
	failed := errors.New("broken")
	var mu sync.Mutex
	var done []string
	stopped := false
	node := func(name string, needs ...string) Node {
		return Node{Name: name, Needs: needs, Do: func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, name)
			return nil
		}}
	}
	started := make(chan struct{})
	err := InOrder(t.Context(), []Node{
		{Name: "bad", Do: func(context.Context) error { <-started; return failed }},
		{Name: "long", Do: func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			stopped = true
			return ctx.Err()
		}},
		node("after bad", "bad"), node("after long", "long"),
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if !stopped || len(done) != 0 {
		t.Errorf("what was running was stopped: %v; done after the failure: %v", stopped, done)
	}
}

func TestInOrder_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var done []string
	err := InOrder(ctx, []Node{
		{Name: "a", Do: func(ctx context.Context) error { cancel(); return ctx.Err() }},
		{Name: "b", Needs: []string{"a"}, Do: func(context.Context) error { done = append(done, "b"); return nil }},
	})
	if !errors.Is(err, context.Canceled) || slices.Contains(done, "b") {
		t.Errorf("done %v: %v", done, err)
	}
}
