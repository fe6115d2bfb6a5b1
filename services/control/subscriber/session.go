package subscriber

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// session reports the events of the process and receives heartbeats, until the stream ends.
func (s *subscriber) session(ctx context.Context, conn *grpc.ClientConn) error {
	group, ctx := errgroup.WithContext(ctx)
	stream, err := controlv1.NewSessionsClient(conn).Connect(ctx)
	if err != nil {
		return err
	}
	hello := &controlv1.Hello{Pod: s.process.Config.Pod, Service: s.process.Config.Service, Boot: s.process.Events.Boot()}
	if err := stream.Send(&controlv1.ConnectRequest{Message: &controlv1.ConnectRequest_Hello{Hello: hello}}); err != nil {
		_, err = stream.Recv()
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.GetWelcome() == nil {
		return errors.New("the control plane did not answer with a welcome")
	}
	out := &sender{stream: stream}
	group.Go(func() error {
		return s.process.Events.Watch(ctx, first.GetWelcome().GetAfterSeq(), func(e governance.Event) error {
			return out.send(&controlv1.ConnectRequest{Message: &controlv1.ConnectRequest_Event{Event: wire(e)}})
		})
	})
	group.Go(func() error { return s.reportBreakers(ctx, out) })
	group.Go(func() error {
		for {
			m, err := stream.Recv()
			if err != nil {
				return err
			}
			if m.GetHeartbeat() != nil {
				s.beat(m.GetHeartbeat().GetFaults())
			}
		}
	})
	return group.Wait()
}

// sender is a stream on which several goroutines send.
type sender struct {
	mu     sync.Mutex
	stream grpc.BidiStreamingClient[controlv1.ConnectRequest, controlv1.ConnectResponse]
}

func (s *sender) send(m *controlv1.ConnectRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.Send(m)
}

// breakerInterval is how soon a new breaker is reported. Changes of breakers are events, which are reported at once.
const breakerInterval = 200 * time.Millisecond

// reportBreakers reports the breakers of the process when there is a new one.
func (s *subscriber) reportBreakers(ctx context.Context, out *sender) error {
	reported := 0
	return pause.Until(ctx, breakerInterval, func(context.Context) (bool, error) {
		if all := s.process.Breakers.Snapshot(); len(all) > reported {
			states := &controlv1.BreakerStates{}
			for _, b := range all {
				states.Breakers = append(states.Breakers, &telemetryv1.Breaker{Caller: b.Caller, Callee: b.Callee, Method: b.Method, State: b.State,
					Since: timestamppb.New(b.Since), Reason: b.Reason})
			}
			if err := out.send(&controlv1.ConnectRequest{Message: &controlv1.ConnectRequest_Breakers{Breakers: states}}); err != nil {
				return false, err
			}
			reported = len(all)
		}
		return false, nil
	})
}

func wire(e governance.Event) *telemetryv1.Event {
	return &telemetryv1.Event{Seq: e.Seq, Boot: e.Boot, Time: timestamppb.New(e.Time), Kind: e.Kind, Subject: e.Subject, Detail: e.Detail, Labels: e.Labels}
}
