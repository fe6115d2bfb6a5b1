// Package userclient is the caller's side of UserService: a chat client that loses nothing, and a call that every sandbox can answer.
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

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// rejoinAfter is the pause between a stream that broke and the next one.
const rejoinAfter = 500 * time.Millisecond

// Chat sends lines to a room of UserService and receives what everybody sends there, each message once. It uses as many streams as it takes: servers
// close them from time to time, and pods die. After a break it joins again behind the last message received, and sends again, with their keys, the
// lines that did not come back.
type Chat struct {
	Client     userv1.UserServiceClient
	Room, User string
	Key        func(n int) string // of the n-th line; unique for User in the room
	Receive    func(*userv1.ChatMessage) error
	Lost       func(error) // called with the reason before a new stream is opened
	After      *int64      // id of the last message received; nil to receive new messages only

	sent    int
	silent  bool // no line will follow
	seeking bool // skipping what was in the room before our own first line

	mu      sync.Mutex
	unheard []*userv1.ChatMessage // sent and not received back yet
}

// Run returns nil when lines is closed and all of them were received back. It returns an error when ctx ends or when the server refuses the client.
func (c *Chat) Run(ctx context.Context, lines <-chan string) error {
	for {
		err := c.stream(ctx, lines)
		if err == nil || ctx.Err() != nil || !retryable(err) {
			return err
		}
		c.Lost(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rejoinAfter):
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
	if after == nil && len(c.unheard) > 0 { // they are somewhere in the room, if they were stored before the stream broke
		after, c.seeking = proto.Int64(0), true
	}
	// Errors of Send are ignored because Recv returns the status of the stream.
	_ = stream.Send(&userv1.ChatMessage{Room: c.Room, UserId: c.User, AfterId: after})
	for _, m := range c.unheard {
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
	c.unheard = append(c.unheard, m)
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

// isNew removes a message from the unheard ones and reports whether it was not received before.
func (c *Chat) isNew(m *userv1.ChatMessage) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.unheard)
	c.unheard = slices.DeleteFunc(c.unheard, func(u *userv1.ChatMessage) bool { return m.GetUserId() == c.User && m.GetKey() == u.GetKey() })
	if c.seeking && len(c.unheard) == before {
		return false
	}
	c.seeking, c.After = false, proto.Int64(m.GetId())
	return true
}
