package validation

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// people returns what it receives, to show what reaches a handler.
type people struct {
	userv1.UnimplementedUserServiceServer
}

func (people) CreateUser(_ context.Context, req *userv1.CreateUserRequest) (*userv1.CreateUserResponse, error) {
	return &userv1.CreateUserResponse{User: &userv1.User{Name: req.GetName()}}, nil
}

func (people) Chat(stream grpc.BidiStreamingServer[userv1.ChatMessage, userv1.ChatMessage]) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(m); err != nil {
			return err
		}
	}
}

type orders struct {
	orderv1.UnimplementedOrderServiceServer
}

func dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	s := grpc.NewServer(ServerOptions()...)
	userv1.RegisterUserServiceServer(s, people{})
	orderv1.RegisterOrderServiceServer(s, orders{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// rawCodec sends bytes unchanged, as a client in another language may.
type rawCodec struct{ encoding.CodecV2 }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

// notUTF8 returns an encoded message with text that Go's protobuf would refuse to encode.
func notUTF8(t *testing.T, message proto.Message, text string) []byte {
	t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(data) - len(text) + 1 {
		if string(data[i:i+len(text)]) == text {
			data[i] = 0xff
			return data
		}
	}
	t.Fatal("the encoded message does not contain the text")
	return nil
}

func TestServerOptions_Unary(t *testing.T) {
	conn := dial(t)
	client := userv1.NewUserServiceClient(conn)
	if got, err := client.CreateUser(t.Context(), &userv1.CreateUserRequest{Name: "Ada"}); err != nil || got.GetUser().GetName() != "Ada" {
		t.Errorf("a valid request: %v, %v", got, err)
	}
	if _, err := client.CreateUser(t.Context(), &userv1.CreateUserRequest{Name: "A\x00da"}); !named(err, "name") {
		t.Errorf("NUL: %v", err)
	}
	raw := grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")})
	bad := notUTF8(t, &userv1.CreateUserRequest{Name: "Ada", Email: "ada@example.org"}, "ada@")
	if err := conn.Invoke(t.Context(), userv1.UserService_CreateUser_FullMethodName, bad, &userv1.CreateUserResponse{}, raw); !named(err, "email") {
		t.Errorf("not UTF-8: %v", err)
	}
	nested := notUTF8(t, &orderv1.CreateOrderRequest{UserId: "u-1", Lines: []*orderv1.OrderLine{{Sku: "sku-1"}, {Sku: "sku-22"}}}, "sku-22")
	if err := conn.Invoke(t.Context(), orderv1.OrderService_CreateOrder_FullMethodName, nested, &orderv1.CreateOrderResponse{}, raw); !named(err, "lines[1].sku") {
		t.Errorf("not UTF-8 in a nested field: %v", err)
	}
	malformed := []byte{0x0a, 0x7f, 'A'}
	if err := conn.Invoke(t.Context(), userv1.UserService_CreateUser_FullMethodName, malformed, &userv1.CreateUserResponse{}, raw); status.Code(err) != codes.Internal {
		t.Errorf("a malformed message: %v", err)
	}
}

func TestServerOptions_Stream(t *testing.T) {
	stream, err := userv1.NewUserServiceClient(dial(t)).Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"hello", "hel\x00lo"} {
		if err := stream.Send(&userv1.ChatMessage{UserId: "u-1", Room: "r", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := stream.Recv(); err != nil || got.GetText() != "hello" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := stream.Recv(); !named(err, "text") {
		t.Errorf("NUL in a later message: %v", err)
	}
}

func named(err error, field string) bool {
	got := fieldsOf(err)
	return len(got) == 1 && got[0] == field
}
