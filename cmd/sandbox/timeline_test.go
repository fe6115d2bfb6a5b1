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

func TestTimelinePrinter_PrintsEachLineOnce(t *testing.T) {
	var out strings.Builder
	timeline := newTimelinePrinter(process{stderr: &out}, true)
	r := telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(1500e6), Kind: "step", Subject: "kill one", Detail: "userservice-1"}}}
	timeline.update(r)
	timeline.update(r)
	r.Timeline = append(r.Timeline, telemetry.Event{At: noon.Add(12e9), Kind: "phase", Subject: "recover"})
	timeline.update(r)
	want := "     1.5 s  step     kill one: userservice-1\n    12.0 s  phase    recover\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	newTimelinePrinter(process{stderr: &out}, false).update(r)
	if out.Len() > 0 {
		t.Errorf("under the screen it prints %q", out.String())
	}
}

func TestTimelinePrinter_ScreenEnded(t *testing.T) {
	r := telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(1500e6), Kind: "step", Subject: "kill one", Detail: "userservice-1"}}}
	const timeline = "     1.5 s  step     kill one: userservice-1\n"
	for _, c := range []struct {
		sentence    string
		left        error
		interrupted bool
		want        string
	}{
		{"leaving the screen does not stop the run", nil, false, timeline},
		{"Ctrl-C stops the run", tui.ErrInterrupted, true, timeline},
		{"an error of the screen is printed", errors.New("no feed"), false, "sandbox: no feed\n" + timeline},
	} {
		var out strings.Builder
		printer := newTimelinePrinter(process{stderr: &out}, false)
		printer.update(r)
		interrupted := false
		printer.screenEnded(c.left, func() { interrupted = true })
		printer.update(r)
		if out.String() != c.want || interrupted != c.interrupted {
			t.Errorf("%s: interrupted %v, printed %q", c.sentence, interrupted, out.String())
		}
	}
}

func TestTimelinePrinter_PrintsAfterTheScreen(t *testing.T) {
	var out strings.Builder
	printer := newTimelinePrinter(process{stderr: &out}, false)
	printer.update(telemetry.Run{Started: noon, Timeline: []telemetry.Event{{At: noon.Add(12e9), Kind: "phase", Subject: "done"}}})
	// At the end of the run, after which there are no more updates.
	printer.screenEnded(nil, func() {})
	if want := "    12.0 s  phase    done\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestRunWithScreen_EitherMayEndFirst(t *testing.T) {
	refused := errors.New("another run is going on")
	forEver := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for _, c := range []struct {
		sentence string
		show     func(context.Context) error
		runs     time.Duration
		fails    error
		want     time.Duration
	}{
		{"a run that was refused closes the screen immediately", forEver, 0, refused, 0},
		{"a screen that does not notice the end is closed after screenTimeout", forEver, 10 * time.Second, nil, 10*time.Second + screenTimeout},
		{"a screen that shows the end closes by itself", func(ctx context.Context) error { time.Sleep(11 * time.Second); return ctx.Err() }, 10 * time.Second, nil, 11 * time.Second},
		{"a run outlives its screen", func(context.Context) error { return nil }, 10 * time.Second, nil, 10 * time.Second},
		{"Ctrl-C on the screen ends the run", func(context.Context) error { time.Sleep(time.Second); return tui.ErrInterrupted }, time.Hour, context.Canceled, time.Second},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := newTimelinePrinter(process{stderr: &strings.Builder{}}, false).runWithScreen(t.Context(), c.show, func(ctx context.Context) (scenarios.Report, error) {
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
