package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// rejoinAfter is how long a visitor whose stream broke waits before joining again.
const rejoinAfter = 500 * time.Millisecond

// visitor says lines in a room of UserService and hears what everybody says there, each message once, over as many streams as it takes:
// servers close them from time to time, and pods die.
type visitor struct {
	client     userv1.UserServiceClient
	room, name string
	key        func(n int) string // of the n-th line; nobody of this name has used it in the room
	hear       func(*userv1.ChatMessage) error
	lost       func(error) // told why a stream broke, before the next one
	after      *int64      // the id of the last message heard; before that, nil to hear what is new only

	said    int
	silent  bool // no line will come
	seeking bool // what comes before our own first word is not new

	mu      sync.Mutex
	unheard []*userv1.ChatMessage // said and not heard yet: with their keys they may be said again
}

// visit returns when lines are closed and all of them were heard, when ctx ends, or with the error of a server that will not have us.
func (v *visitor) visit(ctx context.Context, lines <-chan string) error {
	for {
		err := v.stay(ctx, lines)
		if err == nil || ctx.Err() != nil || !mayReturn(err) {
			return err
		}
		v.lost(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rejoinAfter):
		}
	}
}

// mayReturn says whether one may join again after the last message heard.
func mayReturn(err error) bool {
	return slices.Contains([]codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded}, status.Code(err))
}

// stay is one stream; it returns nil when all was said and heard.
func (v *visitor) stay(ctx context.Context, lines <-chan string) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	stream, err := v.client.Chat(ctx)
	if err != nil {
		return err
	}
	after := v.after
	if after == nil && len(v.unheard) > 0 { // somewhere in the room, if it was stored before the stream broke
		after, v.seeking = proto.Int64(0), true
	}
	// What is wrong with sending, listening says.
	_ = stream.Send(&userv1.ChatMessage{Room: v.room, UserId: v.name, AfterId: after})
	for _, m := range v.unheard {
		_ = stream.Send(m)
	}
	if v.silent {
		_ = stream.CloseSend()
		lines = nil
	}
	over := make(chan error, 1)
	go func() { over <- v.listen(stream) }()
	for {
		select {
		case err := <-over:
			return err
		case line, more := <-lines:
			if !more {
				v.silent, lines = true, nil
				_ = stream.CloseSend()
				continue
			}
			_ = stream.Send(v.say(line))
		}
	}
}

func (v *visitor) say(line string) *userv1.ChatMessage {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said++
	m := &userv1.ChatMessage{Text: line, Key: v.key(v.said)}
	v.unheard = append(v.unheard, m)
	return m
}

func (v *visitor) listen(stream grpc.BidiStreamingClient[userv1.ChatMessage, userv1.ChatMessage]) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !v.isNew(m) {
			continue
		}
		if err := v.hear(m); err != nil {
			return err
		}
	}
}

// isNew takes a message off those that are not heard yet.
func (v *visitor) isNew(m *userv1.ChatMessage) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := len(v.unheard)
	v.unheard = slices.DeleteFunc(v.unheard, func(u *userv1.ChatMessage) bool { return m.GetUserId() == v.name && m.GetKey() == u.GetKey() })
	if v.seeking && len(v.unheard) == before {
		return false
	}
	v.seeking, v.after = false, proto.Int64(m.GetId())
	return true
}
