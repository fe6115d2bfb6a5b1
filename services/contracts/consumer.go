package contracts

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Sent is a move of a script: the consumer sends.
func Sent(m proto.Message) Move { return Move{Send: mustCompact(m)} }

// Received is a move of a script: the provider answers, with something like this.
func Received(m proto.Message) Move { return Move{Receive: mustCompact(m)} }

func mustCompact(m proto.Message) json.RawMessage {
	data, err := compact(m, false)
	if err != nil {
		panic(err) // a message made by a test
	}
	return data
}

// Play gives the consumer's own code, in use, a provider that knows one interaction and nothing else. It fails when the code calls anything
// else, or does not call.
func Play(t *testing.T, i Interaction, use func(grpc.ClientConnInterface)) {
	t.Helper()
	pipe := bufconn.Listen(1 << 20)
	called := 0
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		called++
		err := act(stream, i)
		if status.Code(err) == codes.Aborted {
			t.Errorf("%s: %v", i.Name, err)
		}
		return err
	}))
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipe) }()
	conn, err := grpc.NewClient("passthrough:///pipe", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	use(conn)
	_ = conn.Close()
	server.GracefulStop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if called == 0 {
		t.Errorf("%s: nobody called %s", i.Name, i.Method)
	}
}

// act plays the provider's part; ABORTED when the consumer does not keep to its own.
func act(stream grpc.ServerStream, i Interaction) error {
	if name, _ := grpc.MethodFromServerStream(stream); name != "/"+i.Method {
		return status.Errorf(codes.Aborted, "it called %s, not %s", name, i.Method)
	}
	m, err := find(i.Method)
	if err != nil {
		return status.Error(codes.Aborted, err.Error())
	}
	sent, _ := metadata.FromIncomingContext(stream.Context())
	for key, value := range i.Metadata {
		if strings.Join(sent.Get(key), ",") != value {
			return status.Errorf(codes.Aborted, "it sent %s: %v, not %s", key, sent.Get(key), value)
		}
	}
	for _, move := range i.Script {
		if move.Send != nil {
			msg := dynamicpb.NewMessage(m.Input())
			if err := stream.RecvMsg(msg); err != nil {
				return status.Errorf(codes.Aborted, "it was to send %s: %v", move.Send, err)
			}
			want, err := parse(m.Input(), move.Send)
			if err != nil || !proto.Equal(want, msg) {
				got, _ := compact(msg, false)
				return status.Errorf(codes.Aborted, "it sent %s, not %s (%v)", got, move.Send, err)
			}
			continue
		}
		msg, err := parse(m.Output(), move.Receive)
		if err == nil {
			err = stream.SendMsg(msg)
		}
		if err != nil {
			return status.Error(codes.Aborted, fmt.Sprint("sending the example: ", err))
		}
	}
	number, err := codeNumber(i.Code)
	switch {
	case err != nil:
		return status.Error(codes.Aborted, err.Error())
	case number == int32(code.Code_OK):
		return nil
	case i.Reason != "":
		return refusal.New(codes.Code(number), i.Reason, i.Name) //nolint:gosec // a code
	}
	return status.Error(codes.Code(number), i.Name) //nolint:gosec // a code
}
