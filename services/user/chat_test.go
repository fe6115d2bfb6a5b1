package user

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// join opens a stream in a room. A negative after means new messages only.
func join(ctx context.Context, t *testing.T, client userv1.UserServiceClient, user, room string, after int64) userv1.UserService_ChatClient {
	t.Helper()
	stream, err := client.Chat(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(joining(user, room, after)); err != nil {
		t.Fatal(err)
	}
	return stream
}

// joining returns the first message of a stream.
func joining(user, room string, after int64) *userv1.ChatMessage {
	m := &userv1.ChatMessage{UserId: user, Room: room}
	if after >= 0 {
		m.AfterId = proto.Int64(after)
	}
	return m
}

func say(t *testing.T, stream userv1.UserService_ChatClient, text, key string) {
	t.Helper()
	if err := stream.Send(&userv1.ChatMessage{Text: text, Key: key}); err != nil {
		t.Fatal(err)
	}
}

// read receives messages up to an id, and fails the test if one is missing or out of order.
func read(t *testing.T, stream userv1.UserService_ChatClient, after, upTo int64) (texts []string) {
	t.Helper()
	for next := after + 1; next <= upTo; next++ {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("waiting for %d: %v", next, err)
		}
		if m.GetId() != next {
			t.Fatalf("got %d, want %d", m.GetId(), next)
		}
		texts = append(texts, m.GetText())
	}
	return texts
}

func TestChat_AllReplicas(t *testing.T) {
	server := pgtest.Shared(t)
	database := server.Database(t)
	var clients []userv1.UserServiceClient
	for range 3 {
		c, _ := replica(t, server, database)
		clients = append(clients, c)
	}
	const each = 20
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var transcripts []string
	var all sync.WaitGroup
	for i, client := range clients {
		speaker := join(ctx, t, client, fmt.Sprint("speaker", i), "hall", 0)
		listener := join(ctx, t, client, fmt.Sprint("listener", i), "hall", 0)
		other := join(ctx, t, client, fmt.Sprint("other", i), "other", 0)
		all.Go(func() {
			for n := range each {
				say(t, speaker, fmt.Sprint(i, " says ", n), "")
			}
			read(t, speaker, 0, 3*each)
		})
		all.Go(func() {
			texts := strings.Join(read(t, listener, 0, 3*each), "\n")
			mu.Lock()
			defer mu.Unlock()
			transcripts = append(transcripts, texts)
		})
		all.Go(func() {
			_ = other.CloseSend()
			if m, err := other.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("a reader of another room got %v, %v", m, err)
			}
		})
	}
	all.Wait()
	for _, texts := range transcripts {
		if texts != transcripts[0] {
			t.Error("two readers received different messages")
		}
	}
	// The messages of one sender stay in order.
	for i := range clients {
		before := -1
		for n := range each {
			at := strings.Index(transcripts[0]+"\n", fmt.Sprint(i, " says ", n, "\n"))
			if at <= before {
				t.Errorf("message %d of sender %d is at %d after %d", n, i, at, before)
			}
			before = at
		}
	}
}

func TestChat_Join(t *testing.T) {
	server := pgtest.Shared(t)
	client, _ := replica(t, server, server.Database(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ada := join(ctx, t, client, "ada", "room", -1)
	// More than two pages.
	for i := range 250 {
		say(t, ada, fmt.Sprint(i), "")
	}
	_ = ada.CloseSend()
	read(t, ada, 0, 250)
	if _, err := ada.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after all messages the stream ended with %v", err)
	}
	read(t, join(ctx, t, client, "bob", "room", 0), 0, 250)
	read(t, join(ctx, t, client, "bob", "room", 249), 249, 250)
	late := join(ctx, t, client, "bob", "room", -1)
	say(t, late, "new", "")
	read(t, late, 250, 251)
	for _, c := range []struct {
		sentence string
		messages []*userv1.ChatMessage
		code     codes.Code
	}{
		{"no room", []*userv1.ChatMessage{{UserId: "ada"}}, codes.InvalidArgument},
		{"no user id", []*userv1.ChatMessage{{Room: "room"}}, codes.InvalidArgument},
		{"a text in the first message", []*userv1.ChatMessage{{UserId: "ada", Room: "room", Text: "x"}}, codes.InvalidArgument},
		{"an id that does not exist yet", []*userv1.ChatMessage{{UserId: "ada", Room: "room", AfterId: proto.Int64(9999)}}, codes.OutOfRange},
		{"a message without a text", []*userv1.ChatMessage{{UserId: "ada", Room: "room"}, {}}, codes.InvalidArgument},
		{"a second room", []*userv1.ChatMessage{{UserId: "ada", Room: "room"}, {Room: "other", Text: "x"}}, codes.InvalidArgument},
		{"a text that is too long", []*userv1.ChatMessage{{UserId: "ada", Room: "room"}, {Text: strings.Repeat("x", 4001)}}, codes.InvalidArgument},
	} {
		stream, err := client.Chat(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range c.messages {
			_ = stream.Send(m)
		}
		if _, err := stream.Recv(); status.Code(err) != c.code {
			t.Errorf("%s: got %v", c.sentence, err)
		}
	}
}

func TestChat_RepeatedMessage(t *testing.T) {
	server := pgtest.Shared(t)
	client, _ := replica(t, server, server.Database(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ada := join(ctx, t, client, "ada", "room", 0)
	for _, key := range []string{"1", "2", "1", "2", "3"} {
		say(t, ada, "text "+key, key)
	}
	bob := join(ctx, t, client, "bob", "room", 0)
	say(t, bob, "bob's", "1")
	_ = ada.CloseSend()
	if got := read(t, ada, 0, 3); len(got) != 3 {
		t.Errorf("got %q", got)
	}
	read(t, bob, 0, 4)
}

// TestChat_SlowReader checks that a slow reader does not block others, gets an error, and loses nothing after it joins again.
func TestChat_SlowReader(t *testing.T) {
	server := pgtest.Shared(t)
	client, _ := replica(t, server, server.Database(t))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	slow := join(ctx, t, client, "slow", "room", 0)
	ada := join(ctx, t, client, "ada", "room", 0)
	say(t, ada, "first", "")
	read(t, ada, 0, 1)
	// The reader follows now.
	first, err := slow.Recv()
	if err != nil {
		t.Fatal(err)
	}
	// atOnce is small enough that the sender is never a slow reader itself.
	const said, atOnce = 2 * queueLength, queueLength / 4
	text := strings.Repeat("x", 4000)
	for id := int64(1); id <= said; id += atOnce {
		for range atOnce {
			say(t, ada, text, "")
		}
		read(t, ada, id, id+atOnce)
	}
	seen := first.GetId()
	for {
		m, err := slow.Recv()
		if err != nil {
			if status.Code(err) != codes.ResourceExhausted || refusal.Reason(err) != ReasonSlowReader {
				t.Fatalf("after %d: got %v", seen, err)
			}
			break
		}
		if m.GetId() != seen+1 {
			t.Fatalf("%d came after %d", m.GetId(), seen)
		}
		seen = m.GetId()
	}
	if seen > said {
		t.Errorf("the error came only after %d messages", seen)
	}
	read(t, join(ctx, t, client, "slow", "room", seen), seen, said+1)
}

// TestChat_DatabaseDown checks that readers notice nothing but silence, and that senders get an error and can join again.
func TestChat_DatabaseDown(t *testing.T) {
	server := pgtest.Start(t)
	client, _ := replica(t, server, "shop")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	listener := join(ctx, t, client, "listener", "room", 0)
	ada := join(ctx, t, client, "ada", "room", 0)
	say(t, ada, "one", "1")
	read(t, ada, 0, 1)
	read(t, listener, 0, 1)
	server.Kill()
	say(t, ada, "two", "2")
	start := time.Now()
	for {
		_, err := ada.Recv()
		if err == nil {
			continue
		}
		if status.Code(err) != codes.Unavailable || time.Since(start) > 5*time.Second {
			t.Errorf("a sender got %v after %s", err, time.Since(start))
		}
		break
	}
	if _, err := client.CreateUser(ctx, &userv1.CreateUserRequest{Name: "N", Email: "n@example.org", Age: 1}); status.Code(err) != codes.Unavailable {
		t.Errorf("creating a user: got %v", err)
	}
	if _, err := client.GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"}); err != nil {
		t.Errorf("a computed user needs the database: %v", err)
	}
	if err := server.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "speaking works again", func() bool {
		again, err := client.Chat(ctx)
		if err != nil {
			return false
		}
		for _, m := range []*userv1.ChatMessage{joining("ada", "room", 1), {Text: "two", Key: "2"}} {
			// Recv returns the error.
			_ = again.Send(m)
		}
		m, err := again.Recv()
		return err == nil && m.GetId() == 2
	})
	if got := read(t, listener, 1, 2); got[0] != "two" {
		t.Errorf("the reader received %q", got)
	}
}

func TestChat_ReplicaStops(t *testing.T) {
	server := pgtest.Shared(t)
	client, p := replica(t, server, server.Database(t))
	stream := join(t.Context(), t, client, "ada", "room", 0)
	say(t, stream, "x", "")
	read(t, stream, 0, 1)
	go p.Stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}
