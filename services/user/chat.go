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

// ReasonSlowReader is the reason of RESOURCE_EXHAUSTED in a chat.
const ReasonSlowReader = "SLOW_READER"

// sayingAhead is how many messages of one stream may wait to be stored; then its sender waits, and nobody else.
const sayingAhead = 16

type chatStream = grpc.BidiStreamingServer[userv1.ChatMessage, userv1.ChatMessage]

// errSaidAll ends a stream whose caller has said, and seen, all that they wanted to say.
var errSaidAll = errors.New("all was said")

var errReplicaStops = status.Error(codes.Unavailable, "this replica is stopping; join again after the last id seen")

// Chat serves one stream: it receives, stores and sends in a goroutine each, so that none of them holds up the others.
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
	v := &visit{rooms: s.rooms, stream: stream, join: join, cursor: cursor, spoken: make(chan *userv1.ChatMessage, sayingAhead), saidAll: make(chan int64, 1), end: end}
	// When this handler returns, the stream ends and with it whatever of these still waits on it; only then can sending to a slow reader end.
	if !s.rooms.begin(func() { v.receive(ctx) }, func() { v.speak(ctx) }, func() { v.send(ctx) }) {
		return errReplicaStops
	}
	select {
	case <-ctx.Done():
	case <-s.rooms.stopping:
		return errReplicaStops
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, errSaidAll) {
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
		return refusal.Field("text", "the first message joins and says nothing")
	}
	return nil
}

// startingPoint is the id after which to read. Whether all after it is kept is seen while reading.
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
