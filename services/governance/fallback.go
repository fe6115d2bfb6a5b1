package governance

import (
	"context"
	"fmt"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// FallbackHeader marks an answer that did not come from its callee: <callee>/<package.Service/Method>, and the code of what failed. It is
// in the header the caller of the method gets, and in the response header of the call being served when that made the call.
const FallbackHeader = "x-fallback"

// Fallback answers a method in place of a callee that failed. Make it with FallbackTo or FallbackToStream.
type Fallback struct {
	method string
	unary  func(ctx context.Context, req, reply any, cause error) error
	stream func(ctx context.Context, cause error) ([]proto.Message, error)
}

// FallbackTo answers a unary method, given as package.Service/Method. It is asked when the callee failed (see IsFailure) or its breaker is
// open, and not when the callee said no (NOT_FOUND, INVALID_ARGUMENT …). Its own error replaces nothing: the caller then gets the cause.
func FallbackTo[Req, Reply any, PReq message[Req], PReply message[Reply]](method string, answer func(ctx context.Context, req PReq, cause error) (PReply, error)) Fallback {
	return Fallback{method: bare(method), unary: func(ctx context.Context, req, reply any, cause error) error {
		in, ok := req.(PReq)
		out, ok2 := reply.(PReply)
		if !ok || !ok2 {
			return fmt.Errorf("falling back: %s takes %T and gives %T", method, req, reply)
		}
		answered, err := answer(ctx, in, cause)
		if err != nil {
			return err
		}
		proto.Reset(out)
		proto.Merge(out, answered)
		return nil
	}}
}

// FallbackToStream answers a method that streams its answer, when the stream cannot be opened: because its breaker is open, or nobody is
// there. A stream that breaks later breaks.
func FallbackToStream[Reply any, PReply message[Reply]](method string, answer func(ctx context.Context, cause error) ([]PReply, error)) Fallback {
	return Fallback{method: bare(method), stream: func(ctx context.Context, cause error) ([]proto.Message, error) {
		answered, err := answer(ctx, cause)
		list := make([]proto.Message, 0, len(answered))
		for _, m := range answered {
			list = append(list, m)
		}
		return list, err
	}}
}

type message[T any] interface {
	*T
	proto.Message
}

// fallsBack says whether this failure is one to fall back from.
func (c *clientCall) fallsBack(cause error) bool {
	return !c.rule.noFallback && IsFailure(codeOf(cause))
}

func (c *clientCall) fallBack(ctx context.Context, req, reply any, cause error, opts []grpc.CallOption) error {
	if c.method.fallback.unary == nil || !c.fallsBack(cause) {
		return cause
	}
	if err := c.method.fallback.unary(ctx, req, reply, cause); err != nil {
		c.client.log.WarnContext(ctx, "the fallback failed too", "method", c.method.method, "error", err, "cause", cause)
		return cause
	}
	c.markFallback(ctx, cause, opts)
	return nil
}

// markFallback tells everybody who may want to know.
func (c *clientCall) markFallback(ctx context.Context, cause error, opts []grpc.CallOption) metadata.MD {
	code := codeName(codeOf(cause))
	c.client.cfg.Metrics.fallbacks.WithLabelValues(c.method.callee, c.method.method, code).Inc()
	trace.SpanFromContext(ctx).AddEvent("fallback", trace.WithAttributes(attribute.String("callee", c.method.callee), attribute.String("code", code)))
	mark := metadata.Pairs(FallbackHeader, c.method.callee+"/"+c.method.method+" "+code)
	for _, o := range opts {
		if header, ok := o.(grpc.HeaderCallOption); ok {
			*header.HeaderAddr = metadata.Join(*header.HeaderAddr, mark)
		}
	}
	if grpc.ServerTransportStreamFromContext(ctx) != nil {
		_ = grpc.SetHeader(ctx, mark) // fails once headers are out; then it is too late to tell
	}
	return mark
}

func (c *clientCall) fallBackStream(ctx context.Context, cause error, opts []grpc.CallOption) (grpc.ClientStream, error) {
	if c.method.fallback.stream == nil || !c.fallsBack(cause) {
		return nil, cause
	}
	answers, err := c.method.fallback.stream(ctx, cause)
	if err != nil {
		c.client.log.WarnContext(ctx, "the fallback failed too", "method", c.method.method, "error", err, "cause", cause)
		return nil, cause
	}
	return &fallbackStream{ctx: ctx, header: c.markFallback(ctx, cause, opts), answers: answers}, nil
}

// fallbackStream is a stream that nobody is at the other end of.
type fallbackStream struct {
	ctx     context.Context
	header  metadata.MD
	answers []proto.Message
}

func (s *fallbackStream) Header() (metadata.MD, error) { return s.header, nil }
func (s *fallbackStream) Trailer() metadata.MD         { return nil }
func (s *fallbackStream) CloseSend() error             { return nil }
func (s *fallbackStream) Context() context.Context     { return s.ctx }
func (s *fallbackStream) SendMsg(any) error            { return nil }

func (s *fallbackStream) RecvMsg(m any) error {
	if err := s.ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if len(s.answers) == 0 {
		return io.EOF
	}
	proto.Reset(m.(proto.Message))
	proto.Merge(m.(proto.Message), s.answers[0])
	s.answers = s.answers[1:]
	return nil
}
