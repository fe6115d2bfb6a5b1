package governance

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
)

// cutClientStream breaks after a number of messages in both directions.
type cutClientStream struct {
	grpc.ClientStream
	call *clientCall
	left *atomic.Int32
	// cancel cancels the underlying stream.
	cancel context.CancelFunc
}

// SendMsg sends a message, or fails if the stream was cut.
func (s *cutClientStream) SendMsg(m any) error {
	if err := s.count(); err != nil {
		return err
	}
	return s.ClientStream.SendMsg(m)
}

// RecvMsg receives a message, or fails if the stream was cut.
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
	// The breaker must see the same error as the caller.
	s.call.end(err)
	s.cancel()
	return err
}

// cutServerStream is the same for a server. The handler gets the error and returns it.
type cutServerStream struct {
	grpc.ServerStream
	left *atomic.Int32
}

// SendMsg sends a message, or fails if the stream was cut.
func (s *cutServerStream) SendMsg(m any) error {
	if s.left.Add(-1) < 0 {
		return errCut()
	}
	return s.ServerStream.SendMsg(m)
}

// RecvMsg receives a message, or fails if the stream was cut.
func (s *cutServerStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.left.Add(-1) < 0 {
		return errCut()
	}
	return nil
}
