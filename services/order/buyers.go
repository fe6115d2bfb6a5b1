package order

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// buyers looks up the users who place orders. Its connection falls back on the remembered profiles, so that a known user can order while
// UserService is down; governance marks the answer of such an order.
type buyers struct {
	users userv1.UserServiceClient
	known *profiles
}

// name returns the name of a user. UserService gets half of the remaining time, because the rest of the order needs time too.
func (b buyers) name(ctx, callerCtx context.Context, id string) (string, error) {
	asking := ctx
	if end, has := ctx.Deadline(); has {
		var done context.CancelFunc
		asking, done = context.WithTimeout(ctx, time.Until(end)/2)
		defer done()
	}
	var header metadata.MD
	found, err := b.users.GetUser(asking, &userv1.GetUserRequest{UserId: id}, grpc.Header(&header))
	if err == nil {
		if fresh := len(header.Get(governance.FallbackHeader)) == 0; fresh {
			b.known.remember(found.GetUser())
		}
		return found.GetUser().GetName(), nil
	}
	f := failureOf(err)
	if f.code == codes.NotFound {
		b.known.forget(id)
	}
	return "", f.errFor(callerCtx)
}
