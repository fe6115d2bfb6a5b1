package userclient

import (
	"context"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Probe reads a user that every sandbox has. It waits until a connection is ready or ctx ends.
func Probe(ctx context.Context, conn grpc.ClientConnInterface) error {
	_, err := userv1.NewUserServiceClient(conn).GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"}, grpc.WaitForReady(true))
	return err
}
