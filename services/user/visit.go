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

// visit is one Chat stream in its room.
type visit struct {
	rooms  *rooms
	stream chatStream
	join   *userv1.ChatMessage
	// cursor is the id of the last message sent. Only send uses it.
	cursor int64
	// incoming is closed by receive.
	incoming chan *userv1.ChatMessage
	// lastStored gets the id of the last stored message when no more will come.
	lastStored chan int64
	end        context.CancelCauseFunc
}

// receive reads messages from the stream until the caller closes its side.
func (v *visit) receive(ctx context.Context) {
	defer close(v.incoming)
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
		case v.incoming <- m:
		case <-ctx.Done():
			return
		}
	}
}

// complete sets the room and the user, which the first message has named.
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

// storeIncoming stores incoming messages.
func (v *visit) storeIncoming(ctx context.Context) {
	var last int64
	for m := range v.incoming {
		id, err := v.rooms.messages.say(ctx, m)
		if err != nil {
			v.end(err)
			return
		}
		last = max(last, id)
	}
	v.lastStored <- last
}

// send catches up with stored messages, attaches to the feed, catches up with those stored in between, and then follows the feed.
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

// catchUp sends the stored messages after the cursor.
func (v *visit) catchUp(ctx context.Context) error {
	for {
		page, err := v.rooms.messages.since(ctx, v.join.GetRoom(), v.cursor)
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := v.deliver(m); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// follow sends the messages of the feed until all is delivered.
func (v *visit) follow(ctx context.Context, r *reader) error {
	lastStored, target := v.lastStored, int64(-1)
	for {
		if target >= 0 && v.cursor >= target {
			return errAllDelivered
		}
		select {
		case m := <-r.queue:
			if err := v.deliver(m); err != nil {
				return err
			}
		case target = <-lastStored:
			lastStored = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// deliver sends a message that the caller has not received yet.
func (v *visit) deliver(m *userv1.ChatMessage) error {
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

// missed explains why an id does not follow the last one sent: the messages in between may have been pruned.
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
