package governance

import (
	"context"
	"slices"

	"google.golang.org/grpc"
)

func (c *client) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	call := c.begin(ctx, method, callKind(desc.ClientStreams, desc.ServerStreams))
	call.waits = waitsForReady(opts)
	opened := false
	defer func() {
		if !opened {
			call.endPanicked()
		}
	}()
	stream, err := call.open(desc, cc, method, open, opts)
	opened = true
	if err != nil {
		call.end(err)
		return nil, err
	}
	return stream, nil
}

func (c *clientCall) open(desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts []grpc.CallOption) (grpc.ClientStream, error) {
	if err := c.admit(); err != nil {
		return nil, err
	}
	cut, err := c.inject()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.ctx, context.CancelFunc(nil)
	if cut != nil {
		ctx, cancel = context.WithCancel(ctx)
		opts = append(slices.Clip(opts), grpc.OnFinish(func(error) { cancel() }))
	}
	stream, err := open(ctx, desc, cc, method, append(slices.Clip(c.withoutRetry(opts)), grpc.OnFinish(c.end))...)
	if err != nil {
		if cancel != nil {
			cancel()
		}
		return nil, err
	}
	counted := &countedClientStream{ClientStream: stream, call: c}
	if cut != nil {
		// The breaker must see the same error as the caller.
		return cut.ClientStream(counted, func(err error) {
			c.end(err)
			cancel()
		}), nil
	}
	return counted, nil
}

// countedClientStream counts messages.
type countedClientStream struct {
	grpc.ClientStream
	call *clientCall
}

// SendMsg sends and counts a message.
func (s *countedClientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err == nil {
		s.call.method.metrics.sent.Inc()
	}
	return err
}

// RecvMsg receives and counts a message.
func (s *countedClientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.call.method.metrics.received.Inc()
		s.call.answered()
	}
	return err
}
