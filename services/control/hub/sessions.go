package hub

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// heartbeatInterval is how often processes receive the leases that are alive: several times within the shortest lease.
const heartbeatInterval = time.Second

// Sessions serves control.v1.Sessions.
type Sessions struct {
	controlv1.UnimplementedSessionsServer
	Hub *Hub
	// Source returns the process of a caller that says it is a pod of a service. It fails for a caller that may not be that pod.
	Source func(ctx context.Context, pod, service string) (Source, error)
	// Leases returns the faults of a namespace whose leases are alive, by uid.
	Leases func(namespace string) []string
	// Stopping ends all streams when it is closed; nil means never.
	Stopping <-chan struct{}
}

// Connect serves one process.
func (s Sessions) Connect(stream grpc.BidiStreamingServer[controlv1.ConnectRequest, controlv1.ConnectResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	if hello == nil {
		return status.Error(codes.InvalidArgument, "the first message must be a hello")
	}
	source, err := s.Source(stream.Context(), hello.GetPod(), hello.GetService())
	if err != nil {
		return err
	}
	s.Hub.Joined(source)
	defer s.Hub.Left(source)
	welcome := &controlv1.Welcome{AfterSeq: s.Hub.After(source, hello.GetBoot())}
	if err := stream.Send(&controlv1.ConnectResponse{Message: &controlv1.ConnectResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	// The goroutine ends with the stream, which ends when Connect returns.
	received := make(chan error, 1)
	go func() { received <- s.receive(stream, source) }()
	return s.beat(stream, source.Namespace, received)
}

// receive reports events until the stream ends.
func (s Sessions) receive(stream grpc.BidiStreamingServer[controlv1.ConnectRequest, controlv1.ConnectResponse], source Source) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case m.GetEvent() != nil:
			s.Hub.Report(source, m.GetEvent())
		case m.GetBreakers() != nil:
			s.Hub.Breakers(source, m.GetBreakers().GetBreakers())
		}
	}
}

func (s Sessions) beat(stream grpc.BidiStreamingServer[controlv1.ConnectRequest, controlv1.ConnectResponse], namespace string, received <-chan error) error {
	ticker := time.NewTicker(heartbeatInterval)
	defer ticker.Stop()
	for {
		if alive := s.Leases(namespace); len(alive) > 0 {
			beat := &controlv1.ConnectResponse_Heartbeat{Heartbeat: &controlv1.Heartbeat{Faults: alive}}
			if err := stream.Send(&controlv1.ConnectResponse{Message: beat}); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case err := <-received:
			return err
		case <-s.Stopping:
			return status.Error(codes.Unavailable, "the control plane is stopping")
		}
	}
}
