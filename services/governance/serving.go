package governance

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// PodHeader is the response header that names the pod that served a call, failed ones too.
const PodHeader = "x-serving-pod"

func podUnary(pod string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		_ = grpc.SetHeader(ctx, metadata.Pairs(PodHeader, pod)) // fails only outside of a call
		return handle(ctx, req)
	}
}

func podStream(pod string) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		_ = stream.SetHeader(metadata.Pairs(PodHeader, pod))
		return handle(srv, stream)
	}
}

// late refuses work nobody waits for any more.
func late(ctx context.Context, metrics *Metrics, method string) error {
	deadline, has := ctx.Deadline()
	if ctx.Err() == context.Canceled || !has || time.Now().Before(deadline) {
		return nil
	}
	metrics.deadlineRefused.WithLabelValues(method).Inc()
	return status.Error(codes.DeadlineExceeded, "the deadline passed before work began")
}

func lateUnary(metrics *Metrics) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		if err := late(ctx, metrics, info.FullMethod); err != nil {
			return nil, err
		}
		return handle(ctx, req)
	}
}

func lateStream(metrics *Metrics) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		if err := late(stream.Context(), metrics, info.FullMethod); err != nil {
			return err
		}
		return handle(srv, stream)
	}
}
