package fault

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Cut ends a stream after a number of messages in both directions together; the answer of a unary call is lost. The call itself goes on, so
// the caller of Apply wraps the stream with ClientStream or ServerStream.
type Cut struct{ after int32 }

// mostMessages keeps the counter of a stream from overflowing.
const mostMessages = 1 << 30

var cutKind = kind{
	name: "cut",
	decode: func(p *policyv1.Fault) effect {
		c, ok := p.GetKind().(*policyv1.Fault_Cut)
		if !ok {
			return nil
		}
		return &Cut{int32(min(c.Cut.GetAfterMessages(), mostMessages))}
	},
}

func (*Cut) apply(context.Context, func() float64) error { return nil }

// ErrCut returns the error of a call that was cut.
func ErrCut() error {
	return refusal.New(codes.Unavailable, refusal.ReasonFaultInjected, "a fault cut the connection")
}

// ClientStream returns a stream that breaks after its messages. It calls end with the error before the caller gets it; end must also cancel the
// stream.
func (c *Cut) ClientStream(stream grpc.ClientStream, end func(error)) grpc.ClientStream {
	s := &cutClientStream{ClientStream: stream, end: end}
	s.left.Store(c.after)
	return s
}

// ServerStream returns a stream that breaks after its messages. The handler gets the error and returns it.
func (c *Cut) ServerStream(stream grpc.ServerStream) grpc.ServerStream {
	s := &cutServerStream{ServerStream: stream}
	s.left.Store(c.after)
	return s
}

type cutClientStream struct {
	grpc.ClientStream
	left atomic.Int32
	end  func(error)
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
		return ErrCut()
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
	err := ErrCut()
	s.end(err)
	return err
}

type cutServerStream struct {
	grpc.ServerStream
	left atomic.Int32
}

// SendMsg sends a message, or fails if the stream was cut.
func (s *cutServerStream) SendMsg(m any) error {
	if s.left.Add(-1) < 0 {
		return ErrCut()
	}
	return s.ServerStream.SendMsg(m)
}

// RecvMsg receives a message, or fails if the stream was cut.
func (s *cutServerStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.left.Add(-1) < 0 {
		return ErrCut()
	}
	return nil
}
