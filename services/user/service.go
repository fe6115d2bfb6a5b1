// Package user serves users that are computed, not stored.
package user

import (
	"context"
	"regexp"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Service implements user.v1.UserService.
type Service struct {
	userv1.UnimplementedUserServiceServer
}

var wellFormed = regexp.MustCompile(`^u-([1-9][0-9]{0,17})$`)

// GetUser answers INVALID_ARGUMENT for a malformed id and NOT_FOUND for one nobody has.
func (Service) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	id := req.GetUserId()
	match := wellFormed.FindStringSubmatch(id)
	if match == nil {
		return nil, malformed(id)
	}
	n, err := strconv.Atoi(match[1])
	if err != nil || n > Count {
		return nil, status.Errorf(codes.NotFound, "no user %s: there are u-1 to u-%d", id, Count)
	}
	return &userv1.GetUserResponse{User: person(n)}, nil
}

func malformed(id string) error {
	st := status.Newf(codes.InvalidArgument, "user_id %q is malformed: write u-42", id)
	detailed, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "user_id", Description: `must be "u-" and a whole number from 1, without leading zeros`},
	}})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}
