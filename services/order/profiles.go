package order

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// profiles remembers the users that UserService returned to this replica. When it is full it drops the least recently seen user. A profile
// can replace an answer for a limited time only.
type profiles struct {
	kept *lru.Cache[string, profile]
	age  time.Duration
	now  func() time.Time
}

type profile struct {
	user *userv1.User
	seen time.Time
}

func newProfiles(size int, age time.Duration) (*profiles, error) {
	kept, err := lru.New[string, profile](size)
	if err != nil {
		return nil, fmt.Errorf("making room for %d user profiles: %w", size, err)
	}
	return &profiles{kept: kept, age: age, now: time.Now}, nil
}

// remember stores a user that UserService has just returned.
func (p *profiles) remember(u *userv1.User) { p.kept.Add(u.GetUserId(), profile{u, p.now()}) }

// forget drops a user.
func (p *profiles) forget(id string) { p.kept.Remove(id) }

// fallback answers GetUser instead of a UserService that cannot.
func (p *profiles) fallback(_ context.Context, req *userv1.GetUserRequest, _ error) (*userv1.GetUserResponse, error) {
	found, ok := p.kept.Get(req.GetUserId())
	switch age := p.now().Sub(found.seen); {
	case !ok:
		return nil, fmt.Errorf("no remembered profile of user %q", req.GetUserId())
	case age > p.age:
		return nil, fmt.Errorf("the remembered profile of user %q is %s old", req.GetUserId(), age.Round(time.Second))
	}
	return &userv1.GetUserResponse{User: found.user}, nil
}
