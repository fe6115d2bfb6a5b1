package subscriber

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

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
	group.Go(func() error {
		return s.process.Events.Watch(ctx, first.GetWelcome().GetAfterSeq(), func(e governance.Event) error {
			return stream.Send(&controlv1.ConnectRequest{Message: &controlv1.ConnectRequest_Event{Event: wire(e)}})
		})
	})
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

func wire(e governance.Event) *telemetryv1.Event {
	return &telemetryv1.Event{Seq: e.Seq, Boot: e.Boot, Time: timestamppb.New(e.Time), Kind: e.Kind, Subject: e.Subject, Detail: e.Detail, Labels: e.Labels}
}
