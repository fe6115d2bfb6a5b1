// Package userclient is the client side of UserService: a chat client that loses no message, and a call that every sandbox can answer.
package userclient

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

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// rejoinAfter is the pause between a stream that broke and the next one.
const rejoinAfter = 500 * time.Millisecond

// Chat sends lines to a room of UserService and receives every message of the room once. It uses as many streams as it needs: servers close
// streams from time to time, and pods die. After a break it joins again after the last message received, and sends the lines that did not
// come back again, with the same keys.
type Chat struct {
	// Client opens the streams.
	Client userv1.UserServiceClient
	// Room is the name of the room. User is the id of the user who sends the lines.
	Room, User string
	// Key returns the key of the n-th line, which must be unique for User in the room.
	Key func(n int) string
	// Receive is called with each message, in order. Its error ends the stream.
	Receive func(*userv1.ChatMessage) error
	// Lost is called with the reason before a new stream is opened.
	Lost func(error)
	// After is the id of the last message received. nil means new messages only.
	After *int64

	sent int
	// silent means that no line follows.
	silent bool
	// seeking means that messages before our own first line are skipped.
	seeking bool

	mu sync.Mutex
	// pending are messages that were sent and have not come back.
	pending []*userv1.ChatMessage
}

// Run returns nil when lines is closed and all of them were received back. It returns an error when ctx ends or when the server refuses the client.
func (c *Chat) Run(ctx context.Context, lines <-chan string) error {
	for {
		err := c.stream(ctx, lines)
		if err == nil || ctx.Err() != nil || !retryable(err) {
			return err
		}
		c.Lost(err)
		if err := pause.For(ctx, rejoinAfter); err != nil {
			return err
		}
	}
}

// retryable reports whether the client may join again after the last message received.
func retryable(err error) bool {
	return slices.Contains([]codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded}, status.Code(err))
}

// stream runs one stream. It returns nil when everything was sent and received back.
func (c *Chat) stream(ctx context.Context, lines <-chan string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Client.Chat(ctx)
	if err != nil {
		return err
	}
	after := c.After
	// The pending messages are in the room, if they were stored before the stream broke.
	if after == nil && len(c.pending) > 0 {
		after, c.seeking = proto.Int64(0), true
	}
	// Errors of Send are ignored because Recv returns the status of the stream.
	_ = stream.Send(&userv1.ChatMessage{Room: c.Room, UserId: c.User, AfterId: after})
	for _, m := range c.pending {
		_ = stream.Send(m)
	}
	if c.silent {
		_ = stream.CloseSend()
		lines = nil
	}
	received := make(chan error, 1)
	go func() { received <- c.receive(stream) }()
	for {
		select {
		case err := <-received:
			return err
		case line, more := <-lines:
			if !more {
				c.silent, lines = true, nil
				_ = stream.CloseSend()
				continue
			}
			_ = stream.Send(c.next(line))
		}
	}
}

func (c *Chat) next(line string) *userv1.ChatMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	m := &userv1.ChatMessage{Text: line, Key: c.Key(c.sent)}
	c.pending = append(c.pending, m)
	return m
}

func (c *Chat) receive(stream grpc.BidiStreamingClient[userv1.ChatMessage, userv1.ChatMessage]) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !c.isNew(m) {
			continue
		}
		if err := c.Receive(m); err != nil {
			return err
		}
	}
}

// isNew removes a message from the pending ones, and reports whether it was not received before.
func (c *Chat) isNew(m *userv1.ChatMessage) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.pending)
	c.pending = slices.DeleteFunc(c.pending, func(u *userv1.ChatMessage) bool { return m.GetUserId() == c.User && m.GetKey() == u.GetKey() })
	if c.seeking && len(c.pending) == before {
		return false
	}
	c.seeking, c.After = false, proto.Int64(m.GetId())
	return true
}
