package order

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// profiles are the users that UserService told this replica of: as many as fit, the least recently seen forgotten first, and each for as
// long as it may stand in for an answer.
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

func (p *profiles) remember(u *userv1.User) { p.kept.Add(u.GetUserId(), profile{u, p.now()}) }

func (p *profiles) forget(id string) { p.kept.Remove(id) }

// standIn answers GetUser in place of a UserService that cannot.
func (p *profiles) standIn(_ context.Context, req *userv1.GetUserRequest, _ error) (*userv1.GetUserResponse, error) {
	found, ok := p.kept.Get(req.GetUserId())
	switch age := p.now().Sub(found.seen); {
	case !ok:
		return nil, fmt.Errorf("nothing is known here of user %q", req.GetUserId())
	case age > p.age:
		return nil, fmt.Errorf("what is known of user %q is %s old", req.GetUserId(), age.Round(time.Second))
	}
	return &userv1.GetUserResponse{User: found.user}, nil
}
