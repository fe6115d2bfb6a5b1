package governance

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// FallbackHeader marks an answer that did not come from the callee. Its value is <callee>/<package.Service/Method> and the code of the
// failure. It is in the header of the call that fell back and, if that call was made while serving another one, in the response header of the
// latter.
const FallbackHeader = "x-fallback"

// Fallback answers a method when the callee fails. FallbackTo makes one.
type Fallback struct {
	method string
	unary  func(ctx context.Context, req, reply any, cause error) error
}

// FallbackTo returns a fallback for a unary method, given as package.Service/Method. answer is called when the callee failed (see IsFailure, and
// classify in the policy) or its breaker is open, but not when the callee refused the request, for example with NOT_FOUND or INVALID_ARGUMENT. If
// answer fails, the caller gets the original error.
func FallbackTo[Req, Reply any, PReq message[Req], PReply message[Reply]](method string, answer func(ctx context.Context, req PReq, cause error) (PReply, error)) Fallback {
	return Fallback{method: bareMethod(method), unary: func(ctx context.Context, req, reply any, cause error) error {
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

type message[T any] interface {
	*T
	proto.Message
}

// shouldFallBack reports whether the fallback applies to a failure.
func (c *clientCall) shouldFallBack(cause error) bool {
	code := rpccode.Of(cause)
	class, _ := c.rule.Class(code)
	if class == policy.ClassIgnored || refusal.IsLocal(cause) {
		// What the breaker ignores, or what was refused here, is still no answer for the caller.
		return !c.rule.NoFallback && rpccode.IsFailure(code)
	}
	return !c.rule.NoFallback && class == policy.ClassFailure
}

// fallBack answers a failed call. ctx is the context that the caller passed: the one of the call, with its deadline and span, has ended.
func (c *clientCall) fallBack(ctx context.Context, req, reply any, cause error, opts []grpc.CallOption) error {
	if !c.shouldFallBack(cause) {
		return cause
	}
	if err := c.method.fallback.unary(ctx, req, reply, cause); err != nil {
		c.client.log.WarnContext(ctx, "the fallback failed too", "method", c.method.method, "error", err, "cause", cause)
		return cause
	}
	c.markFallback(ctx, cause, opts)
	return nil
}

// markFallback records the use of a fallback in metrics, the span and the headers.
func (c *clientCall) markFallback(ctx context.Context, cause error, opts []grpc.CallOption) {
	code := rpccode.Name(rpccode.Of(cause))
	c.client.cfg.Metrics.fallbacks.WithLabelValues(c.method.callee, c.method.method, code).Inc()
	trace.SpanFromContext(ctx).AddEvent("fallback", trace.WithAttributes(attribute.String("callee", c.method.callee), attribute.String("code", code)))
	mark := metadata.Pairs(FallbackHeader, c.method.callee+"/"+c.method.method+" "+code)
	for _, o := range opts {
		if header, ok := o.(grpc.HeaderCallOption); ok {
			*header.HeaderAddr = metadata.Join(*header.HeaderAddr, mark)
		}
	}
	if grpc.ServerTransportStreamFromContext(ctx) != nil {
		// SetHeader fails if the headers were sent already.
		_ = grpc.SetHeader(ctx, mark)
	}
}
