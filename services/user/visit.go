package user

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

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
		return v.missed(m.GetId())
	}
	if err := v.stream.Send(m); err != nil {
		return err
	}
	v.cursor = m.GetId()
	return nil
}

// missed says why an id does not follow the last one sent: a reader may be so far behind that what it has not read was pruned.
func (v *visit) missed(id int64) error {
	pruned, _, err := v.rooms.messages.bounds(v.stream.Context(), v.join.GetRoom())
	switch {
	case err != nil:
		return err
	case v.cursor < pruned:
		return errPruned(pruned)
	}
	return status.Error(codes.Internal, fmt.Sprintf("message %d came after %d", id, v.cursor))
}
