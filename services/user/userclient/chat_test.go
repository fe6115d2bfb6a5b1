package userclient

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// hall is a room whose streams break after they have stored some of the received messages.
type hall struct {
	userv1.UnimplementedUserServiceServer

	// breaksAt has the numbers of the messages at which a stream breaks, counted over all streams.
	breaksAt []int
	ends     error

	mu       sync.Mutex
	received int
	said     []*userv1.ChatMessage
}

func (h *hall) Chat(stream grpc.BidiStreamingServer[userv1.ChatMessage, userv1.ChatMessage]) error {
	join, err := stream.Recv()
	if err != nil {
		return err
	}
	cursor := len(h.stored(nil))
	if join.AfterId != nil {
		cursor = int(join.GetAfterId())
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m.UserId = join.GetUserId()
		said := h.stored(m)
		if h.breaksNow() {
			return h.ends
		}
		for ; cursor < len(said); cursor++ {
			if err := stream.Send(said[cursor]); err != nil {
				return err
			}
		}
	}
}

// stored stores a message whose key is new.
func (h *hall) stored(m *userv1.ChatMessage) []*userv1.ChatMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m != nil && !slices.ContainsFunc(h.said, func(s *userv1.ChatMessage) bool { return s.GetKey() == m.GetKey() }) {
		m.Id = int64(len(h.said) + 1)
		h.said = append(h.said, m)
	}
	return slices.Clone(h.said)
}

func (h *hall) breaksNow() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.received++
	return slices.Contains(h.breaksAt, h.received)
}

func TestChat_LosesNothingWhenStreamsBreak(t *testing.T) {
	for _, c := range []struct {
		sentence string
		hall     *hall
		// want is a part of the error; empty means none.
		want    string
		rejoins int
	}{
		{"no stream breaks", &hall{}, "", 0},
		{"two streams break before anything was received", &hall{breaksAt: []int{1, 2}, ends: status.Error(codes.Unavailable, "going")}, "", 2},
		{"a stream breaks after something was received", &hall{breaksAt: []int{2}, ends: status.Error(codes.Unavailable, "going")}, "", 1},
		{"the client was too slow", &hall{breaksAt: []int{3}, ends: status.Error(codes.ResourceExhausted, "too slow")}, "", 1},
		{"a stream breaks while only new messages are wanted", &hall{breaksAt: []int{1}, ends: status.Error(codes.Unavailable, "going"), said: []*userv1.ChatMessage{{Id: 1, UserId: "bob", Key: "old"}}}, "", 1},
		{"the room refuses a message", &hall{breaksAt: []int{1}, ends: status.Error(codes.InvalidArgument, "too long")}, "too long", 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			conn, _ := contracttest.Serve(t, func(s *grpc.Server) { userv1.RegisterUserServiceServer(s, c.hall) })
			var received []string
			rejoins, before := 0, len(c.hall.said)
			v := &Chat{Client: userv1.NewUserServiceClient(conn), Room: "hall", User: "ada", Key: strconv.Itoa, After: new(int64),
				Receive: func(m *userv1.ChatMessage) error { received = append(received, m.GetText()); return nil }, Lost: func(error) { rejoins++ }}
			if before > 0 {
				v.After = nil
			}
			err := v.Run(t.Context(), lines("one", "two", "three", "four"))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Run returned %v", err)
				}
				return
			}
			if want := []string{"one", "two", "three", "four"}; err != nil || !slices.Equal(received, want) || rejoins != c.rejoins {
				t.Errorf("received %q, joined again %d times, returned %v", received, rejoins, err)
			}
			if len(c.hall.stored(nil)) != 4+before {
				t.Errorf("the room stored %v", c.hall.said)
			}
		})
	}
}

func lines(all ...string) <-chan string {
	c := make(chan string, len(all))
	for _, line := range all {
		c <- line
	}
	close(c)
	return c
}
