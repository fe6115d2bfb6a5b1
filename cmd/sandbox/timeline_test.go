package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/tui"
)

func TestTheTimelineIsToldOnce(t *testing.T) {
	var out strings.Builder
	told := newRunTeller(world{stderr: &out}, true)
	r := telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(1500e6), Kind: "step", Subject: "kill one", Detail: "userservice-1"}}}
	told.tell(r)
	told.tell(r)
	r.Timeline = append(r.Timeline, telemetry.Event{At: noon.Add(12e9), Kind: "phase", Subject: "recover"})
	told.tell(r)
	want := "     1.5 s  step     kill one: userservice-1\n    12.0 s  phase    recover\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	newRunTeller(world{stderr: &out}, false).tell(r)
	if out.Len() > 0 {
		t.Errorf("under the screen it prints %q", out.String())
	}
}

func TestARunWithoutItsScreenIsTold(t *testing.T) {
	r := telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(1500e6), Kind: "step", Subject: "kill one", Detail: "userservice-1"}}}
	const told = "     1.5 s  step     kill one: userservice-1\n"
	for _, c := range []struct {
		sentence    string
		left        error
		interrupted bool
		want        string
	}{
		{"who quits the screen sees the run go on", nil, false, told},
		{"Ctrl-C stops the run too", tui.ErrInterrupted, true, told},
		{"a screen that broke says why", errors.New("no feed"), false, "sandbox: no feed\n" + told},
	} {
		var out strings.Builder
		teller := newRunTeller(world{stderr: &out}, false)
		teller.tell(r)
		interrupted := false
		teller.screenLeft(c.left, func() { interrupted = true })
		teller.tell(r)
		if out.String() != c.want || interrupted != c.interrupted {
			t.Errorf("%s: interrupted %v, told %q", c.sentence, interrupted, out.String())
		}
	}
}

func TestRunTeller_TimelineFollowsTheScreen(t *testing.T) {
	var out strings.Builder
	teller := newRunTeller(world{stderr: &out}, false)
	teller.tell(telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(12e9), Kind: "phase", Subject: "done"}}})
	teller.screenLeft(nil, func() {}) // at the end of the run, after which nothing more is told
	if want := "    12.0 s  phase    done\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestAScreenEndsWithItsRun(t *testing.T) {
	refused := errors.New("another run is going on")
	forEver := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for _, c := range []struct {
		sentence string
		show     func(context.Context) error
		runs     time.Duration
		fails    error
		want     time.Duration
	}{
		{"a run that was refused takes the screen away at once", forEver, 0, refused, 0},
		{"a screen that does not hear of the end is taken away soon after", forEver, 10 * time.Second, nil, 10*time.Second + screenStays},
		{"a screen that shows the end leaves by itself", func(ctx context.Context) error { time.Sleep(11 * time.Second); return ctx.Err() }, 10 * time.Second, nil, 11 * time.Second},
		{"a run outlives a screen that was left", func(context.Context) error { return nil }, 10 * time.Second, nil, 10 * time.Second},
		{"Ctrl-C on the screen ends the run", func(context.Context) error { time.Sleep(time.Second); return tui.ErrInterrupted }, time.Hour, context.Canceled, time.Second},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := newRunTeller(world{stderr: &strings.Builder{}}, false).beside(t.Context(), c.show, func(ctx context.Context) (scenarios.Report, error) {
					if errors.Is(c.fails, refused) {
						return scenarios.Report{}, refused
					}
					select {
					case <-time.After(c.runs):
						return scenarios.Report{}, nil
					case <-ctx.Done():
						return scenarios.Report{}, ctx.Err()
					}
				})
				if took := time.Since(began); took != c.want || !errors.Is(err, c.fails) {
					t.Errorf("it ended after %s with %v; want %s, %v", took, err, c.want, c.fails)
				}
			})
		})
	}
}
