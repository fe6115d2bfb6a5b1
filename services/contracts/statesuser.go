package contracts

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func users() provider {
	return provider{states: map[string]state{
		"the room has the message hello": {prepare: func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error {
			stream, err := userv1.NewUserServiceClient(conn).Chat(ctx)
			if err != nil {
				return err
			}
			for _, m := range []*userv1.ChatMessage{{Room: v["room"], UserId: "ada", AfterId: proto.Int64(0)}, {Text: "hello", Key: "1"}} {
				if err := stream.Send(m); err != nil {
					// If the stream ended, drain returns the reason.
					break
				}
			}
			// Receiving returns the same error.
			_ = stream.CloseSend()
			_, err = drain(stream)
			return err
		}},
	}}
}
