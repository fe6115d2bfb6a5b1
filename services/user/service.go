// Package user implements user.v1.UserService: users, and chat rooms for them.
//
// The users u-1 to u-1000 are computed and need no database. All others are stored. A chat room exists in every replica: a message is stored
// once, and PostgreSQL notifies the replicas, whose feeds deliver it to their readers in the order of ids.
//
//	stream ─> receive ─> store ─> messages ─NOTIFY─> rooms (each replica) ─> feed ─> reader ─> stream
package user

import (
	"context"
	"regexp"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// Service implements user.v1.UserService. Its zero value serves the computed users only.
type Service struct {
	userv1.UnimplementedUserServiceServer
	store *store
	rooms *rooms
}

// Register returns a function that adds the service, its chat rooms and their pruning to a gRPC server.
func Register(cfg Config) func(*governance.Process, *grpc.Server, *postgres.DB) error {
	cfg = cfg.withDefaults()
	return func(p *governance.Process, s *grpc.Server, db *postgres.DB) error {
		r := newRooms(db, p.Log, p.Stopping)
		p.Go(r.run)
		p.Go(pruning{messages: r.messages, keep: cfg.Keep, every: cfg.Every, log: p.Log}.run)
		userv1.RegisterUserServiceServer(s, Service{store: &store{db}, rooms: r})
		return nil
	}
}

// idPattern matches the id of a user and its number.
var idPattern = regexp.MustCompile(`^u-([1-9][0-9]{0,17})$`)

// GetUser returns INVALID_ARGUMENT for a malformed id and NOT_FOUND for a user that does not exist.
func (s Service) GetUser(ctx context.Context, req *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	n, ok := number(req.GetUserId())
	if !ok {
		return nil, refusal.Field("user_id", `must be "u-" and a whole number from 1, without leading zeros`, refusal.Help("u-42"))
	}
	if n <= Count {
		return &userv1.GetUserResponse{User: person(int(n))}, nil
	}
	if s.store == nil {
		return nil, notFound(n)
	}
	found, err := s.store.get(ctx, n)
	if err != nil {
		return nil, err
	}
	return &userv1.GetUserResponse{User: found}, nil
}

// number parses an id such as "u-42".
func number(id string) (int64, bool) {
	match := idPattern.FindStringSubmatch(id)
	if match == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(match[1], 10, 64)
	return n, err == nil
}

func notFound(n int64) error {
	return status.Errorf(codes.NotFound, "no user u-%d: there are u-1 to u-%d, and those created", n, Count)
}
