package validation

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// ServerOptions returns options that make a server reject text that PostgreSQL cannot store, in the request of every unary call and in every
// message of a stream, before a handler sees it.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newUTF8Codec()),
		grpc.ChainUnaryInterceptor(checkUnary),
		grpc.ChainStreamInterceptor(checkStream),
	}
}

func checkUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := checkText(req); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func checkStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, checkedStream{stream})
}

// checkedStream checks each received message.
type checkedStream struct{ grpc.ServerStream }

func (s checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return checkText(m)
}

func checkText(m any) error {
	if message, ok := m.(proto.Message); ok {
		return Text(message)
	}
	return nil
}
