package hub

import (
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
)

// Watcher serves telemetry.v1.Events.
type Watcher struct {
	telemetryv1.UnimplementedEventsServer
	Hub *Hub
	// Stopping ends all streams when it is closed; nil means never.
	Stopping <-chan struct{}
}

// Watch streams events.
func (w Watcher) Watch(r *telemetryv1.WatchRequest, stream grpc.ServerStreamingServer[telemetryv1.Event]) error {
	h := w.Hub
	oldest, latest := h.bounds()
	position := r.GetAfter()
	switch {
	case r.GetFromOldest() || r.GetRun() != "" && r.GetRun() != h.run:
		position = oldest
	case position == 0:
		position = latest
	case position > latest:
		return status.Errorf(codes.OutOfRange, "position %d is in the future: the last one is %d", position, latest)
	}
	// Sending the header confirms the subscription: later events will be delivered.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	resumed := true
	for {
		events, missing, changed := h.after(position)
		if missing > 0 && !resumed {
			return status.Errorf(codes.ResourceExhausted, "this watcher reads too slowly: %d events were overwritten; resume after position %d of run %s", missing, position, h.run)
		}
		if missing > 0 {
			gap := &telemetryv1.Event{Position: position + missing, Run: h.run, Time: timestamppb.Now(), Kind: KindMissed,
				Detail: fmt.Sprintf("%d events are no longer stored", missing)}
			if err := stream.Send(gap); err != nil {
				return err
			}
			position += missing
		}
		resumed = false
		for _, e := range events {
			position = e.GetPosition()
			if len(r.GetKinds()) > 0 && e.GetKind() != KindMissed && !slices.Contains(r.GetKinds(), e.GetKind()) {
				continue
			}
			if err := stream.Send(e.Event); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-w.Stopping:
			return status.Error(codes.Unavailable, "the control plane is stopping")
		}
	}
}
