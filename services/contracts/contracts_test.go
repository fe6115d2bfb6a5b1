package contracts

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMismatches(t *testing.T) {
	const example = `{"user":{"name":"Ada","age":36,"tags":["a","b"],"friends":[{"id":"u-1"}]}}`
	for _, c := range []struct {
		sentence, got string
		rules         map[string]Matcher
		want          string // of the one mismatch; none when empty
	}{
		{"equal", example, nil, ""},
		{"more fields may be there", `{"user":{"name":"Ada","age":36,"tags":["a","b"],"friends":[{"id":"u-1","x":1}],"new":1},"other":{}}`, nil, ""},
		{"another value", strings.Replace(example, "36", "37", 1), nil, "user.age: is 37, want 36"},
		{"another value of the same type", strings.Replace(example, "36", "37", 1), map[string]Matcher{"user.age": {Type: true}}, ""},
		{"another type", strings.Replace(example, "36", `"36"`, 1), map[string]Matcher{"user.age": {Type: true}}, "user.age: is a text, want a number"},
		{"a text that matches", strings.Replace(example, "Ada", "Bob", 1), map[string]Matcher{"user.name": {Regex: "[A-Z][a-z]+"}}, ""},
		{"a text that matches in part only", strings.Replace(example, "Ada", "Bob2", 1), map[string]Matcher{"user.name": {Regex: "[A-Z][a-z]+"}}, "user.name: is Bob2, want a text like"},
		{"a field that is gone", `{"user":{"name":"Ada","tags":["a","b"],"friends":[{"id":"u-1"}]}}`, nil, "user.age: is not there"},
		{"a list of another length", strings.Replace(example, `["a","b"]`, `["a"]`, 1), nil, "user.tags: has 1 elements, want 2"},
		{"each element like the first", strings.Replace(example, `[{"id":"u-1"}]`, `[{"id":"u-5"},{"id":"u-6"}]`, 1),
			map[string]Matcher{"user.friends": {Each: true}, "user.friends[*].id": {Regex: `u-\d+`}}, ""},
		{"one element unlike the first", strings.Replace(example, `[{"id":"u-1"}]`, `[{"id":"u-5"},{"id":"x"}]`, 1),
			map[string]Matcher{"user.friends": {Each: true}, "user.friends[*].id": {Regex: `u-\d+`}}, "user.friends[1].id: is x, want a text like"},
		{"no element", strings.Replace(example, `[{"id":"u-1"}]`, `[]`, 1), map[string]Matcher{"user.friends": {Each: true}}, "user.friends: is empty"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := mismatches(json.RawMessage(example), json.RawMessage(c.got), c.rules)
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(got, "; "); (c.want == "") != (said == "") || !strings.HasPrefix(said, c.want) || len(got) > 1 {
				t.Errorf("got %q", said)
			}
		})
	}
}

// provider answers one user, or an error.
type provider struct {
	userv1.UnimplementedUserServiceServer
	name string
	err  error
}

func (p provider) GetUser(_ context.Context, r *userv1.GetUserRequest) (*userv1.GetUserResponse, error) {
	return &userv1.GetUserResponse{User: &userv1.User{UserId: r.GetUserId(), Name: p.name}}, p.err
}

// TestABrokenProvider: what is broken is named by its field.
func TestABrokenProvider(t *testing.T) {
	i := Interaction{Name: "a user", Method: "user.v1.UserService/GetUser", Code: "OK", Match: map[string]Matcher{"user.name": {Regex: ".+"}},
		Script: []Move{Sent(&userv1.GetUserRequest{UserId: "u-1"}), Received(&userv1.GetUserResponse{User: &userv1.User{UserId: "u-1", Name: "Ada"}})}}
	gone := i
	gone.Script = []Move{i.Script[0], {Receive: json.RawMessage(`{"user":{"nickname":"x"}}`)}}
	renamed := i
	renamed.Script = []Move{{Send: json.RawMessage(`{"id":"u-1"}`)}, i.Script[1]}
	missing := i
	missing.Method = "user.v1.UserService/FindUser"
	refused := i
	refused.Script, refused.Code = i.Script[:1], "NOT_FOUND"
	for _, c := range []struct {
		sentence string
		provider provider
		i        Interaction
		want     string
	}{
		{"whole", provider{name: "Bob"}, i, ""},
		{"an empty field", provider{}, i, "user.name: is , want a text like"},
		{"a field that is gone", provider{name: "Bob"}, gone, "user.nickname: is not there"},
		{"a field of the request that has another name", provider{name: "Bob"}, renamed, `unknown field "id"`},
		{"a method that is gone", provider{name: "Bob"}, missing, "there is no method user.v1.UserService/FindUser"},
		{"an error", provider{err: status.Error(codes.Internal, "broken")}, i, "it ended with INTERNAL"},
		{"no error", provider{name: "Bob"}, refused, "it sent one message more"},
		{"another error", provider{err: status.Error(codes.Internal, "broken")}, refused, "code: it ended with INTERNAL, want NOT_FOUND"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			said := strings.Join(Replay(t.Context(), serve(t, c.provider), c.i), "; ")
			if (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
				t.Errorf("got %q", said)
			}
		})
	}
}

func TestPlay(t *testing.T) {
	i := Interaction{Name: "nobody", Method: "user.v1.UserService/GetUser", Code: "NOT_FOUND", Reason: "GONE", Script: []Move{Sent(&userv1.GetUserRequest{UserId: "u-1"})}}
	Play(t, i, func(conn grpc.ClientConnInterface) {
		if _, err := userv1.NewUserServiceClient(conn).GetUser(t.Context(), &userv1.GetUserRequest{UserId: "u-1"}); say(err) != "NOT_FOUND GONE" {
			t.Error(err)
		}
	})
}
