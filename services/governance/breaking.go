package governance

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

func breakUnary(breakers *Breakers, callee string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) (err error) {
		done, err := breakers.allow(callee, method)
		if err != nil {
			noteRefusal(ctx, callee, err)
			return err
		}
		finished := false
		defer func() {
			if !finished { // a panic further in
				done(errPanicked)
			}
		}()
		err = invoke(ctx, method, req, reply, cc, opts...)
		finished = true
		done(err)
		return err
	}
}

// breakStream reports the outcome when the stream ends, by whichever of its ends comes first: a half-open slot must always come back.
func breakStream(breakers *Breakers, callee string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		report, err := breakers.allow(callee, method)
		if err != nil {
			noteRefusal(ctx, callee, err)
			return nil, err
		}
		var once sync.Once
		done := func(err error) { once.Do(func() { report(err) }) }
		opened := false
		defer func() {
			if !opened {
				done(errPanicked)
			}
		}()
		stream, err := open(ctx, desc, cc, method, append(opts, grpc.OnFinish(done))...)
		opened = true
		if err != nil {
			done(err)
			return nil, err
		}
		return stream, nil
	}
}

// noteRefusal leaves a mark in the caller's trace: a call that is never sent has no span of its own.
func noteRefusal(ctx context.Context, callee string, err error) {
	trace.SpanFromContext(ctx).AddEvent("refused before sending", trace.WithAttributes(
		attribute.String("callee", callee), attribute.String("reason", RefusalReason(err))))
}
