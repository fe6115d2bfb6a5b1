package user

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// The reasons of ALREADY_EXISTS.
const (
	ReasonEmailTaken = "EMAIL_TAKEN"
	ReasonIDTaken    = "USER_ID_TAKEN"
)

// CreateUser stores a user. Repeating a request with its key gives the same answer. A key belongs to the verified identity of the caller.
func (s Service) CreateUser(ctx context.Context, req *userv1.CreateUserRequest) (*userv1.CreateUserResponse, error) {
	if s.store == nil {
		return s.UnimplementedUserServiceServer.CreateUser(ctx, req)
	}
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	n, err := wanted(req.GetUserId())
	if err != nil {
		return nil, err
	}
	if computedEmails()[strings.ToLower(req.GetEmail())] {
		return nil, emailTaken(req.GetEmail())
	}
	digest, err := digestOf(req)
	if err != nil {
		return nil, err
	}
	created, err := s.store.create(ctx, newUser{number: n, name: req.GetName(), email: req.GetEmail(), age: req.GetAge(), caller: governance.Caller(ctx), key: req.GetIdempotencyKey(), digest: digest})
	if err != nil {
		return nil, err
	}
	return &userv1.CreateUserResponse{User: created}, nil
}

// wanted is the number that was asked for; 0 when the service may pick one.
func wanted(id string) (int64, error) {
	if id == "" {
		return 0, nil
	}
	n, ok := number(id)
	if !ok {
		return 0, refusal.Field("user_id", "is too long")
	}
	if n <= Count {
		return 0, idTaken(n)
	}
	return n, nil
}

var computedEmails = sync.OnceValue(func() map[string]bool {
	all := make(map[string]bool, Count)
	for n := 1; n <= Count; n++ {
		all[person(n).GetEmail()] = true
	}
	return all
})

// digestOf tells whether a key came with the same request.
func digestOf(req proto.Message) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	sum := sha256.Sum256(data)
	return sum[:], err
}

func emailTaken(email string) error {
	return refusal.New(codes.AlreadyExists, ReasonEmailTaken, fmt.Sprintf("somebody has the email %s already", email))
}

func idTaken(n int64) error {
	return refusal.New(codes.AlreadyExists, ReasonIDTaken, fmt.Sprintf("there is a user u-%d already", n))
}

func keyReused() error {
	return refusal.Field("idempotency_key", "came with another request before")
}
