package governance

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
)

// cutClientStream breaks after so many messages, whichever way they go.
type cutClientStream struct {
	grpc.ClientStream
	call   *clientCall
	left   *atomic.Int32
	cancel context.CancelFunc // of the stream underneath
}

func (s *cutClientStream) SendMsg(m any) error {
	if err := s.count(); err != nil {
		return err
	}
	return s.ClientStream.SendMsg(m)
}

func (s *cutClientStream) RecvMsg(m any) error {
	if s.left.Load() < 0 {
		return errCut()
	}
	if err := s.ClientStream.RecvMsg(m); err != nil {
		return err
	}
	return s.count()
}

func (s *cutClientStream) count() error {
	if s.left.Add(-1) >= 0 {
		return nil
	}
	err := errCut()
	s.call.end(err) // the breaker must see what the caller sees
	s.cancel()
	return err
}

// cutServerStream is the same on the other side. The handler sees the error and returns it.
type cutServerStream struct {
	grpc.ServerStream
	left *atomic.Int32
}

func (s *cutServerStream) SendMsg(m any) error {
	if s.left.Add(-1) < 0 {
		return errCut()
	}
	return s.ServerStream.SendMsg(m)
}

func (s *cutServerStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.left.Add(-1) < 0 {
		return errCut()
	}
	return nil
}
