package live

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

// fakeEvents has the events and the one breaker of a control plane.
type fakeEvents struct {
	events []*telemetryv1.Event
	err    error
}

func eventsOf(f *fakeEvents) *breakers {
	return newBreakers(func(context.Context) (telemetryv1.EventsClient, error) { return f, nil })
}

func (f *fakeEvents) Breakers(context.Context, *telemetryv1.BreakersRequest, ...grpc.CallOption) (*telemetryv1.BreakersResponse, error) {
	return &telemetryv1.BreakersResponse{Breakers: []*telemetryv1.Breaker{
		{Namespace: "shop", Pod: "loadgen-1", Caller: "loadgen", Callee: "userservice", Method: "GetUser", State: "half-open", Since: timestamppb.New(noon), Reason: "5 s are over"},
		{Namespace: "elsewhere", Pod: "loadgen-1", Caller: "loadgen", Callee: "userservice", Method: "GetUser", State: "open"},
	}}, f.err
}

func (f *fakeEvents) Watch(context.Context, *telemetryv1.WatchRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[telemetryv1.Event], error) {
	return &eventStream{events: f.events}, f.err
}

type eventStream struct {
	grpc.ClientStream
	events []*telemetryv1.Event
}

func (*eventStream) Header() (metadata.MD, error) { return nil, nil }

func (s *eventStream) Recv() (*telemetryv1.Event, error) {
	if len(s.events) == 0 {
		return nil, io.EOF
	}
	e := s.events[0]
	s.events = s.events[1:]
	return e, nil
}

func TestBreakers_Reading(t *testing.T) {
	got, err := eventsOf(&fakeEvents{}).Breakers(t.Context())
	want := []telemetry.Breaker{{Caller: "loadgen", Callee: "userservice", Method: "GetUser", Pod: "loadgen-1", State: telemetry.HalfOpen, Since: noon, Reason: "5 s are over"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if _, err := eventsOf(&fakeEvents{err: io.ErrUnexpectedEOF}).Breakers(t.Context()); !errorSays(err, "reading breakers: ") {
		t.Errorf("got %v", err)
	}
}

func TestEvents_OnlyBreakerChangesSinceTheStart(t *testing.T) {
	event := func(seq uint64, kind string, at time.Duration) *telemetryv1.Event {
		return &telemetryv1.Event{Position: seq, Seq: seq, Kind: kind, Run: "run", Boot: "boot", Namespace: "shop", Pod: "loadgen-1", Time: timestamppb.New(noon.Add(at)), Labels: map[string]string{
			"caller": "loadgen", "callee": "userservice", "method": "GetUser", "from": "closed", "to": "open", "reason": "25 % failed",
		}}
	}
	old, new, load := event(2, "breaker", -time.Minute), event(3, "breaker", time.Second), event(4, "load", 2*time.Second)
	// The time of a missed event is when it was sent.
	early, late := event(1, "missed", time.Hour), event(9, "missed", time.Hour)
	for _, c := range []struct {
		sentence string
		after    uint64
		events   []*telemetryv1.Event
		want     []uint64
	}{
		{"from the start: earlier events are ignored", 0, []*telemetryv1.Event{old, new, load}, []uint64{3}},
		{"from the start: earlier missed events are ignored", 0, []*telemetryv1.Event{early, old, new}, []uint64{3}},
		{"from the start: later missed events are returned", 0, []*telemetryv1.Event{early, new}, []uint64{1, 3}},
		{"after an event: all later ones, regardless of their time", 1, []*telemetryv1.Event{old, new, load}, []uint64{2, 3}},
		{"after an event: missed events", 1, []*telemetryv1.Event{new, load, late}, []uint64{3, 9}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			changes, err := eventsOf(&fakeEvents{events: c.events}).Events(t.Context(), noon, c.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for change := range changes {
				got = append(got, change.Seq)
				want := scenarios.BreakerChange{
					Seq: change.Seq, Boot: "run", Pod: "loadgen-1", At: change.At, From: "loadgen", To: "userservice", Method: "GetUser", Old: telemetry.Closed, New: telemetry.Open, Reason: "25 % failed",
				}
				if change.Seq == early.GetPosition() || change.Seq == late.GetPosition() {
					want = scenarios.BreakerChange{Seq: change.Seq, Boot: "run", Missed: true}
				}
				if change != want {
					t.Errorf("got %+v, want %+v", change, want)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestEvents_EndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fakeEvents{events: []*telemetryv1.Event{{Position: 1, Kind: "breaker"}, {Position: 2, Kind: "breaker"}}}
		changes, err := eventsOf(f).Events(ctx, time.Now(), 7)
		if err != nil {
			t.Fatal(err)
		}
		// No one reads from the channel.
		cancel()
		synctest.Wait()
		if _, more := <-changes; more {
			t.Error("the channel is not closed")
		}
	})
}

// TestEvents_RestartOfTheControlPlane: the processes report their events again, under new positions.
func TestEvents_RestartOfTheControlPlane(t *testing.T) {
	event := func(position, seq uint64, run, to string) *telemetryv1.Event {
		return &telemetryv1.Event{Position: position, Seq: seq, Run: run, Boot: "boot", Namespace: "shop", Pod: "loadgen-1", Kind: "breaker", Time: timestamppb.New(noon),
			Labels: map[string]string{"to": to}}
	}
	f := &fakeEvents{events: []*telemetryv1.Event{event(7, 3, "first", "open")}}
	b := eventsOf(f)
	read := func(after uint64) (states []telemetry.BreakerState) {
		changes, err := b.Events(t.Context(), noon, after)
		if err != nil {
			t.Fatal(err)
		}
		for c := range changes {
			states = append(states, c.New)
		}
		return states
	}
	if got := read(0); !cmp.Equal(got, []telemetry.BreakerState{telemetry.Open}) {
		t.Errorf("got %v", got)
	}
	f.events = []*telemetryv1.Event{event(1, 3, "second", "open"), event(2, 4, "second", "half-open")}
	if got := read(7); !cmp.Equal(got, []telemetry.BreakerState{telemetry.HalfOpen}) {
		t.Errorf("after the restart: %v, want only what is new", got)
	}
}
