package user

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// ReasonSlowReader is the reason of RESOURCE_EXHAUSTED for a chat stream that is read too slowly.
const ReasonSlowReader = "SLOW_READER"

// maxUnstored is how many messages of one stream may wait to be stored. Beyond that only its sender has to wait.
const maxUnstored = 16

type chatStream = grpc.BidiStreamingServer[userv1.ChatMessage, userv1.ChatMessage]

// errAllDelivered ends a stream whose caller has sent everything and has received its last message back.
var errAllDelivered = errors.New("all messages were delivered")

var errReplicaStops = status.Error(codes.Unavailable, "this replica is stopping; join again after the last id seen")

// Chat serves one stream. It receives, stores and sends in one goroutine each, so that none of them blocks the others.
func (s Service) Chat(stream chatStream) error {
	if s.rooms == nil {
		return s.UnimplementedUserServiceServer.Chat(stream)
	}
	join, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := checkJoin(join); err != nil {
		return err
	}
	cursor, err := s.rooms.startingPoint(stream.Context(), join)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	v := &visit{rooms: s.rooms, stream: stream, join: join, cursor: cursor, incoming: make(chan *userv1.ChatMessage, maxUnstored), lastStored: make(chan int64, 1), end: end}
	// When this handler returns, the stream ends, and with it everything that still waits for it. Only that unblocks sending to a slow reader.
	if !s.rooms.begin(func() { v.receive(ctx) }, func() { v.storeIncoming(ctx) }, func() { v.send(ctx) }) {
		return errReplicaStops
	}
	select {
	case <-ctx.Done():
	case <-s.rooms.stopping:
		return errReplicaStops
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, errAllDelivered) {
		return nil
	}
	if stream.Context().Err() != nil {
		return status.FromContextError(stream.Context().Err()).Err()
	}
	return cause
}

func checkJoin(join *userv1.ChatMessage) error {
	if err := validation.Check(join); err != nil {
		return err
	}
	switch {
	case join.GetRoom() == "":
		return refusal.Field("room", "the first message must name the room")
	case join.GetText() != "":
		return refusal.Field("text", "must be empty in the first message, which joins the room")
	}
	return nil
}

// startingPoint returns the id after which to read. Whether all messages after it still exist is checked while reading.
func (r *rooms) startingPoint(ctx context.Context, join *userv1.ChatMessage) (int64, error) {
	pruned, newest, err := r.messages.bounds(ctx, join.GetRoom())
	if err != nil || join.AfterId == nil {
		return newest, err
	}
	switch after := join.GetAfterId(); {
	case after == 0:
		return pruned, nil
	case after > newest:
		return 0, status.Errorf(codes.OutOfRange, "after_id: the newest message of the room is %d", newest)
	default:
		return after, nil
	}
}

func slowReader() error {
	return refusal.New(codes.ResourceExhausted, ReasonSlowReader, "messages come faster than they are read; join again after the last id seen")
}
