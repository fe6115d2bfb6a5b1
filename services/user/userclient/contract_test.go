package userclient

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

var update = flag.Bool("update", false, "rewrite the contracts")

// TestContract_UserService records the calls that the command line makes, by the code that makes them.
func TestContract_UserService(t *testing.T) {
	// enter lets ada send lines in the hall, each after she has received the previous one, and returns the keys of the messages she received.
	enter := func(conn grpc.ClientConnInterface, v *Chat, said ...string) (heard []string, err error) {
		lines := make(chan string, len(said))
		next := func() {
			if len(said) == 0 {
				close(lines)
				return
			}
			lines <- said[0]
			said = said[1:]
		}
		v.Client, v.Room, v.Key = userv1.NewUserServiceClient(conn), "hall", strconv.Itoa
		v.Lost = func(err error) { t.Error("the client joined again after", err) }
		v.Receive = func(m *userv1.ChatMessage) error {
			heard = append(heard, m.GetKey())
			next()
			return nil
		}
		if len(v.pending) == 0 {
			next()
		}
		return heard, v.Run(t.Context(), lines)
	}
	const getUser, chat = "user.v1.UserService/GetUser", "user.v1.UserService/Chat"
	said := func(text, key string) contracts.Move {
		return contracts.Sent(&userv1.ChatMessage{Text: text, Key: key})
	}
	heard := func(id int64, text, key string) contracts.Move {
		return contracts.Received(&userv1.ChatMessage{Room: "hall", UserId: "ada", Text: text, Id: id, Key: key, Time: &timestamppb.Timestamp{Seconds: 1767225600}})
	}
	anyTime := map[string]contracts.Matcher{"time": {Type: true}}
	c := contracts.Contract{Consumer: "cli", Provider: "userservice", Fresh: map[string]string{"room": "hall"}}
	for _, e := range []struct {
		contracts.Interaction
		use  func(grpc.ClientConnInterface) ([]string, error)
		keys []string
		code codes.Code
	}{
		{contracts.Interaction{Name: "the first call", Method: getUser, Code: "OK", Script: []contracts.Move{
			contracts.Sent(&userv1.GetUserRequest{UserId: "u-1"}), contracts.Received(&userv1.GetUserResponse{User: &userv1.User{UserId: "u-1"}})}},
			func(conn grpc.ClientConnInterface) ([]string, error) { return nil, Probe(t.Context(), conn) }, nil, codes.OK},
		{contracts.Interaction{Name: "sending two messages", Method: chat, Code: "OK", Match: anyTime, Script: []contracts.Move{
			contracts.Sent(&userv1.ChatMessage{Room: "hall", UserId: "ada"}), said("hello", "1"), heard(1, "hello", "1"), said("bye", "2"), heard(2, "bye", "2")}},
			func(conn grpc.ClientConnInterface) ([]string, error) {
				return enter(conn, &Chat{User: "ada"}, "hello", "bye")
			}, []string{"1", "2"}, codes.OK},
		{contracts.Interaction{Name: "repeating a message that did not come back", State: "the room has the message hello", Method: chat, Code: "OK", Match: anyTime, Script: []contracts.Move{
			contracts.Sent(&userv1.ChatMessage{Room: "hall", UserId: "ada", AfterId: proto.Int64(0)}), said("hello", "1"), heard(1, "hello", "1"), said("bye", "2"), heard(2, "bye", "2")}},
			func(conn grpc.ClientConnInterface) ([]string, error) {
				v := &Chat{User: "ada", After: proto.Int64(0), sent: 1, pending: []*userv1.ChatMessage{{Text: "hello", Key: "1"}}}
				return enter(conn, v, "bye")
			}, []string{"1", "2"}, codes.OK},
		{contracts.Interaction{Name: "joining again after the last message", State: "the room has the message hello", Method: chat, Code: "OK", Match: anyTime, Script: []contracts.Move{
			contracts.Sent(&userv1.ChatMessage{Room: "hall", UserId: "ada", AfterId: proto.Int64(1)}), said("bye", "2"), heard(2, "bye", "2")}},
			func(conn grpc.ClientConnInterface) ([]string, error) {
				return enter(conn, &Chat{User: "ada", After: proto.Int64(1), sent: 1}, "bye")
			}, []string{"2"}, codes.OK},
		{contracts.Interaction{Name: "joining without a name", Method: chat, Code: "INVALID_ARGUMENT", Script: []contracts.Move{
			contracts.Sent(&userv1.ChatMessage{Room: "hall"})}},
			func(conn grpc.ClientConnInterface) ([]string, error) { return enter(conn, &Chat{}) }, nil, codes.InvalidArgument},
	} {
		t.Run(e.Name, func(t *testing.T) {
			contracttest.Play(t, e.Interaction, func(conn grpc.ClientConnInterface) {
				if keys, err := e.use(conn); status.Code(err) != e.code || !slices.Equal(keys, e.keys) {
					t.Errorf("our own code returns %v, %v", keys, err)
				}
			})
		})
		c.Interactions = append(c.Interactions, e.Interaction)
	}
	contracttest.Keep(t, c, *update)
}
