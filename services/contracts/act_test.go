package contracts_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// TestAct_UnexpectedCall checks that a consumer that deviates from the interaction gets ABORTED.
func TestAct_UnexpectedCall(t *testing.T) {
	i := contracts.Interaction{Name: "nobody", Method: "user.v1.UserService/GetUser", Metadata: map[string]string{"tenant": "blue"}, Code: "NOT_FOUND", Reason: "GONE",
		Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "u-1"})}}
	get := func(ctx context.Context, id string) func(userv1.UserServiceClient) error {
		return func(c userv1.UserServiceClient) error {
			_, err := c.GetUser(ctx, &userv1.GetUserRequest{UserId: id})
			return err
		}
	}
	blue := metadata.AppendToOutgoingContext(t.Context(), "tenant", "blue")
	for _, c := range []struct {
		sentence string
		use      func(userv1.UserServiceClient) error
		code     codes.Code
		want     string
	}{
		{"the expected call", get(blue, "u-1"), codes.NotFound, "nobody"},
		{"another message", get(blue, "u-2"), codes.Aborted, `it sent {"userId":"u-2"}, not {"userId":"u-1"}`},
		{"no metadata", get(t.Context(), "u-1"), codes.Aborted, "it sent tenant: [], not blue"},
		{"other metadata", get(metadata.AppendToOutgoingContext(blue, "tenant", "red"), "u-1"), codes.Aborted, "it sent tenant: [blue red], not blue"},
		{"another method", func(c userv1.UserServiceClient) error {
			_, err := c.CreateUser(blue, &userv1.CreateUserRequest{})
			return err
		}, codes.Aborted, "it called /user.v1.UserService/CreateUser, not user.v1.UserService/GetUser"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			conn, _ := contracttest.Serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
				return contracts.Act(stream, i)
			}))
			err := c.use(userv1.NewUserServiceClient(conn))
			if status.Code(err) != c.code {
				t.Errorf("got %v", err)
			}
			judge(t, status.Convert(err).Message(), c.want)
			if c.code == codes.NotFound && refusal.Reason(err) != "GONE" {
				t.Errorf("reason %q, want GONE", refusal.Reason(err))
			}
		})
	}
}
