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

// Reasons of ALREADY_EXISTS.
const (
	ReasonEmailTaken = "EMAIL_TAKEN"
	ReasonIDTaken    = "USER_ID_TAKEN"
)

// CreateUser stores a user. Repeating a request with the same key returns the same user. A key belongs to the verified identity of the caller.
func (s Service) CreateUser(ctx context.Context, req *userv1.CreateUserRequest) (*userv1.CreateUserResponse, error) {
	if s.store == nil {
		return s.UnimplementedUserServiceServer.CreateUser(ctx, req)
	}
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	n, err := requestedNumber(req.GetUserId())
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
	created, err := s.store.create(ctx, newUser{number: n, name: req.GetName(), email: req.GetEmail(), age: req.GetAge(), caller: governance.Origin(ctx), key: req.GetIdempotencyKey(), digest: digest})
	if err != nil {
		return nil, err
	}
	return &userv1.CreateUserResponse{User: created}, nil
}

// requestedNumber returns the number in a requested id, and 0 if the service may choose one.
func requestedNumber(id string) (int64, error) {
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

// computedEmails has the emails of all computed users.
var computedEmails = sync.OnceValue(func() map[string]bool {
	all := make(map[string]bool, Count)
	for n := 1; n <= Count; n++ {
		all[person(n).GetEmail()] = true
	}
	return all
})

// digestOf returns a digest that identifies the content of a request.
func digestOf(req proto.Message) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	sum := sha256.Sum256(data)
	return sum[:], err
}

func emailTaken(email string) error {
	return refusal.New(codes.AlreadyExists, ReasonEmailTaken, fmt.Sprintf("the email %s is taken", email))
}

func idTaken(n int64) error {
	return refusal.New(codes.AlreadyExists, ReasonIDTaken, fmt.Sprintf("user u-%d exists already", n))
}

func keyReused() error {
	return refusal.Field("idempotency_key", "came with another request before")
}
