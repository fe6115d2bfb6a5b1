package user

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/refusal"
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

// startingPoint is the id after which to read.
func (r *rooms) startingPoint(ctx context.Context, join *userv1.ChatMessage) (int64, error) {
	newest, err := r.messages.newest(ctx, join.GetRoom())
	if err != nil || join.AfterId == nil {
		return newest, err
	}
	if join.GetAfterId() > newest {
		return 0, status.Errorf(codes.OutOfRange, "after_id: the newest message of the room is %d", newest)
	}
	return join.GetAfterId(), nil
}

// visit is one stream in its room.
type visit struct {
	rooms   *rooms
	stream  chatStream
	join    *userv1.ChatMessage
	cursor  int64                    // the last id sent; belongs to send
	spoken  chan *userv1.ChatMessage // closed by receive
	saidAll chan int64               // the id of the last message said, once no more will come
	end     context.CancelCauseFunc
}

func (v *visit) receive(ctx context.Context) {
	defer close(v.spoken)
	for {
		m, err := v.stream.Recv()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			m, err = v.complete(m)
		}
		if err != nil {
			v.end(err)
			return
		}
		select {
		case v.spoken <- m:
		case <-ctx.Done():
			return
		}
	}
}

// complete fills in what the message that joined has said.
func (v *visit) complete(m *userv1.ChatMessage) (*userv1.ChatMessage, error) {
	if m.GetUserId() == "" {
		m.UserId = v.join.GetUserId()
	}
	if m.GetRoom() == "" {
		m.Room = v.join.GetRoom()
	}
	if err := validation.Check(m); err != nil {
		return nil, err
	}
	switch {
	case m.GetRoom() != v.join.GetRoom() || m.GetUserId() != v.join.GetUserId():
		return nil, refusal.Field("room", "one stream is one user in one room; open another one")
	case m.GetText() == "":
		return nil, refusal.Field("text", "must not be empty")
	}
	return m, nil
}

func (v *visit) speak(ctx context.Context) {
	var last int64
	for m := range v.spoken {
		id, err := v.rooms.messages.say(ctx, m)
		if err != nil {
			v.end(err)
			return
		}
		last = max(last, id)
	}
	v.saidAll <- last
}

// send first catches up with what was said before, then with what was said meanwhile, then follows.
func (v *visit) send(ctx context.Context) {
	err := v.catchUp(ctx)
	if err == nil {
		reader, detach := v.rooms.attach(v.join.GetRoom(), v.cursor, func() { v.end(slowReader()) })
		defer detach()
		if err = v.catchUp(ctx); err == nil {
			err = v.follow(ctx, reader)
		}
	}
	v.end(err)
}

func (v *visit) catchUp(ctx context.Context) error {
	for {
		page, err := v.rooms.messages.since(ctx, v.join.GetRoom(), v.cursor)
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := v.pass(m); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func (v *visit) follow(ctx context.Context, r *reader) error {
	saidAll, target := v.saidAll, int64(-1)
	for {
		if target >= 0 && v.cursor >= target {
			return errSaidAll
		}
		select {
		case m := <-r.queue:
			if err := v.pass(m); err != nil {
				return err
			}
		case target = <-saidAll:
			saidAll = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pass sends a message that the reader has not seen.
func (v *visit) pass(m *userv1.ChatMessage) error {
	if m.GetId() <= v.cursor {
		return nil
	}
	if m.GetId() != v.cursor+1 {
		return status.Error(codes.Internal, fmt.Sprintf("message %d came after %d", m.GetId(), v.cursor))
	}
	if err := v.stream.Send(m); err != nil {
		return err
	}
	v.cursor = m.GetId()
	return nil
}

func slowReader() error {
	return refusal.New(codes.ResourceExhausted, ReasonSlowReader, "messages come faster than they are read; join again after the last id seen")
}
