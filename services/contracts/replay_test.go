package contracts_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// users is a provider whose answers a test chooses.
type users struct {
	userv1.UnimplementedUserServiceServer
	name string
	err  error
	// tenant is the required value of the metadata key tenant, if set.
	tenant string
	// say returns the answers to message n of a chat.
	say func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage
	// ending is the error with which a chat ends.
	ending error
}

func (u users) GetUser(ctx context.Context, r *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	if got := strings.Join(metadata.ValueFromIncomingContext(ctx, "tenant"), ","); got != u.tenant {
		return nil, status.Error(codes.PermissionDenied, got)
	}
	return &userv1.GetUserResponse{User: &userv1.User{UserId: r.GetUserId(), Name: u.name}}, u.err
}

func (u users) Chat(stream grpc.BidiStreamingServer[userv1.ChatMessage, userv1.ChatMessage]) error {
	for n := 0; ; n++ {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return u.ending
		}
		if err != nil {
			return err
		}
		answers := u.say(n, m)
		if answers == nil && n > 0 {
			return u.ending
		}
		for _, a := range answers {
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}
}

// breaches replays one interaction.
func breaches(t *testing.T, u users, i contracts.Interaction) string {
	t.Helper()
	conn, _ := contracttest.Serve(t, func(s *grpc.Server) { userv1.RegisterUserServiceServer(s, u) })
	c := contracts.Contract{Consumer: "shopper", Provider: "people", Fresh: map[string]string{"room": "hall"}}
	return strings.Join((&contracts.Replayer{Run: "x"}).Replay(t.Context(), conn, c, i).Breaches(), "; ")
}

func judge(t *testing.T, got, want string) {
	t.Helper()
	if (want == "") != (got == "") || !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReplay_UnaryCall checks that a problem names consumer, interaction and field.
func TestReplay_UnaryCall(t *testing.T) {
	whole := contracts.Interaction{Name: "a user", Method: "user.v1.UserService/GetUser", Code: "OK", Match: map[string]contracts.Matcher{"user.name": {Regex: ".+"}},
		Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "u-1"}), contracts.Received(&userv1.GetUserResponse{User: &userv1.User{UserId: "u-1", Name: "Ada"}})}}
	with := func(change func(*contracts.Interaction)) contracts.Interaction {
		i := whole
		i.Script = append([]contracts.Move{}, whole.Script...)
		change(&i)
		return i
	}
	as := func(m contracts.Matcher) contracts.Interaction {
		return with(func(i *contracts.Interaction) { i.Match = map[string]contracts.Matcher{"user.name": m} })
	}
	refused := with(func(i *contracts.Interaction) { i.Script, i.Code = i.Script[:1], "NOT_FOUND" })
	reasoned := with(func(i *contracts.Interaction) { i.Script, i.Code, i.Reason = i.Script[:1], "NOT_FOUND", "GONE" })
	const said = `people breaks what shopper expects in "a user": `
	for _, c := range []struct {
		sentence string
		provider users
		i        contracts.Interaction
		want     string
	}{
		{"the expected answer", users{name: "Bob"}, whole, ""},
		{"a value that must be equal", users{name: "Bob"}, as(contracts.Matcher{}), said + "user.name: is Bob, want Ada"},
		{"a value whose type must match", users{name: "Bob"}, as(contracts.Matcher{Type: true}), ""},
		{"an empty text that must match", users{}, whole, said + "user.name: is , want a text like .+"},
		{"a removed field", users{name: "Bob"}, with(func(i *contracts.Interaction) {
			i.Script[1] = contracts.Move{Receive: json.RawMessage(`{"user":{"nickname":"x"}}`)}
		}), said + "user.nickname: is not there"},
		{"a renamed field of the request", users{name: "Bob"}, with(func(i *contracts.Interaction) {
			i.Script[0] = contracts.Move{Send: json.RawMessage(`{"id":"u-1"}`)}
		}), `unknown field "id"`},
		{"a removed method", users{name: "Bob"}, with(func(i *contracts.Interaction) { i.Method = "user.v1.UserService/FindUser" }),
			said + "no method user.v1.UserService/FindUser"},
		{"a removed service", users{name: "Bob"}, with(func(i *contracts.Interaction) { i.Method = "user.v0.UserService/GetUser" }),
			said + "no service user.v0.UserService"},
		{"an unexpected error", users{err: status.Error(codes.Internal, "broken")}, whole, said + "code: it ended with INTERNAL before message 1"},
		{"a missing error", users{name: "Bob"}, refused, said + "code: it sent one message more"},
		{"the expected error", users{err: status.Error(codes.NotFound, "nobody")}, refused, ""},
		{"another error", users{err: status.Error(codes.Internal, "broken")}, refused, said + "code: it ended with INTERNAL, want NOT_FOUND"},
		{"the reason", users{err: refusal.New(codes.NotFound, "GONE", "x")}, reasoned, ""},
		{"another reason", users{err: refusal.New(codes.NotFound, "HIDDEN", "x")}, reasoned, said + "code: it ended with NOT_FOUND HIDDEN, want NOT_FOUND GONE"},
		{"an unknown state", users{name: "Bob"}, with(func(i *contracts.Interaction) { i.State = "the moon is full" }),
			said + "state: no entry in services/contracts/states*.go prepares the state \"the moon is full\""},
		{"metadata", users{name: "Bob", tenant: "blue"}, with(func(i *contracts.Interaction) { i.Metadata = map[string]string{"tenant": "blue"} }), ""},
		{"metadata that the provider does not accept any more", users{name: "Bob", tenant: "blue"}, with(func(i *contracts.Interaction) {
			i.Metadata = map[string]string{"x-tenant": "blue"}
		}), said + "code: it ended with PERMISSION_DENIED"},
	} {
		t.Run(c.sentence, func(t *testing.T) { judge(t, breaches(t, c.provider, c.i), c.want) })
	}
}

// TestReplay_Stream checks that a script is followed in order and that a problem names field and message.
func TestReplay_Stream(t *testing.T) {
	script := []contracts.Move{
		contracts.Sent(&userv1.ChatMessage{Room: "hall", UserId: "ada"}),
		contracts.Sent(&userv1.ChatMessage{Text: "hello"}), contracts.Received(&userv1.ChatMessage{Room: "hall", Text: "hello", Id: 1}),
		contracts.Sent(&userv1.ChatMessage{Text: "bye"}), contracts.Received(&userv1.ChatMessage{Room: "hall", Text: "bye", Id: 2}),
	}
	i := contracts.Interaction{Name: "two words", Method: "user.v1.UserService/Chat", Script: script, Code: "OK"}
	found := i
	found.Script = []contracts.Move{script[0], script[1], script[3], contracts.Among("id", &userv1.ChatMessage{Text: "hello", Id: 5})}
	refused := i
	refused.Script, refused.Code = script[:3], "RESOURCE_EXHAUSTED"
	room := ""
	echo := func(change func(n int, m *userv1.ChatMessage)) func(int, *userv1.ChatMessage) []*userv1.ChatMessage {
		return func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage {
			if n == 0 {
				room = m.GetRoom()
				return nil
			}
			answer := &userv1.ChatMessage{Room: room, Text: m.GetText(), Id: int64(n)}
			change(n, answer)
			return []*userv1.ChatMessage{answer}
		}
	}
	same := echo(func(int, *userv1.ChatMessage) {})
	many := func(text string) func(int, *userv1.ChatMessage) []*userv1.ChatMessage {
		return func(n int, m *userv1.ChatMessage) (all []*userv1.ChatMessage) {
			for id := range int64(9 * (n % 2)) {
				all = append(all, &userv1.ChatMessage{Id: id, Text: text})
			}
			return all
		}
	}
	const said = `people breaks what shopper expects in "two words": `
	for _, c := range []struct {
		sentence string
		provider users
		i        contracts.Interaction
		want     string
	}{
		{"whole", users{say: same}, i, ""},
		{"a wrong field of the second message", users{say: echo(func(n int, m *userv1.ChatMessage) { m.Id = 1 })}, i, said + "id: is 1, want 2 (message 2)"},
		{"the second message is missing", users{say: func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage {
			if n == 2 {
				return nil
			}
			return same(n, m)
		}}, i, said + "code: it ended with OK before message 2"},
		{"one message too many", users{say: func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage {
			return append(same(n, m), same(n, m)...)
		}}, i, "(message 2)"},
		{"one message too many at the end", users{say: func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage {
			if n == 2 {
				return append(same(n, m), &userv1.ChatMessage{Id: 3})
			}
			return same(n, m)
		}}, i, said + "code: it sent one message more"},
		{"an error at the end", users{say: same, ending: status.Error(codes.Unavailable, "x")}, i, said + "code: it ended with UNAVAILABLE, want OK"},
		{"the expected error", users{say: same, ending: status.Error(codes.ResourceExhausted, "x")}, refused, ""},
		{"no error", users{say: same}, refused, said + "code: it ended with OK, want RESOURCE_EXHAUSTED"},
		{"one among many", users{say: many("hello")}, found, ""},
		{"one among many with a wrong field", users{say: many("bye")}, found, said + "text: is bye, want hello (message 6)"},
		{"none among many", users{say: func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage {
			if n == 2 {
				return nil
			}
			return same(n, m)
		}}, found, said + "id: is 5 in none of 1 messages"},
		{"none at all", users{say: func(int, *userv1.ChatMessage) []*userv1.ChatMessage { return nil }}, found, said + "code: it ended with OK before message 1"},
	} {
		t.Run(c.sentence, func(t *testing.T) { judge(t, breaches(t, c.provider, c.i), c.want) })
	}
}

// TestReplay_FreshValues checks that each replay has values of its own, used wherever the example is, and nowhere else.
func TestReplay_FreshValues(t *testing.T) {
	var received []*userv1.ChatMessage
	conn, _ := contracttest.Serve(t, func(s *grpc.Server) {
		userv1.RegisterUserServiceServer(s, users{say: func(n int, m *userv1.ChatMessage) []*userv1.ChatMessage {
			received = append(received, m)
			return []*userv1.ChatMessage{m}
		}})
	})
	i := contracts.Interaction{Method: "user.v1.UserService/Chat", Code: "OK", Script: []contracts.Move{
		contracts.Sent(&userv1.ChatMessage{Room: "hall", UserId: "o-1", Text: "hall of fame"}),
		contracts.Received(&userv1.ChatMessage{Room: "hall", UserId: "o-1", Text: "hall of fame"}),
	}}
	c := contracts.Contract{Fresh: map[string]string{"room": "hall", "order": "o-1"}}
	r := contracts.Replayer{Run: "run"}
	for range 2 {
		if got := r.Replay(t.Context(), conn, c, i).Breaches(); len(got) > 0 {
			t.Error(got)
		}
	}
	seen := map[string]bool{}
	for _, m := range received {
		for _, value := range []string{m.GetRoom(), m.GetUserId()} {
			if !strings.HasPrefix(value, "contract-run-") || seen[value] {
				t.Errorf("%q is not new", value)
			}
			seen[value] = true
		}
		if m.GetText() != "hall of fame" {
			t.Errorf("a text that merely contains an example became %q", m.GetText())
		}
	}
	if string(i.Script[0].Send) == "" || !strings.Contains(string(i.Script[0].Send), `"hall"`) {
		t.Error("the contract itself was changed:", string(i.Script[0].Send))
	}
}
