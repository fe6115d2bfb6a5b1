package contracts

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Act plays the provider's part of an interaction, for the tests of a consumer. It returns ABORTED if the consumer deviates from the interaction.
func Act(stream grpc.ServerStream, i Interaction) error {
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
	return i.end()
}

// end returns the error, or nil, with which the interaction ends.
func (i Interaction) end() error {
	number, err := codeNumber(i.Code)
	switch {
	case err != nil:
		return status.Error(codes.Aborted, err.Error())
	case number == int32(code.Code_OK):
		return nil
	case i.Reason != "":
		return refusal.New(codes.Code(number), i.Reason, i.Name) //nolint:gosec // a gRPC code
	}
	return status.Error(codes.Code(number), i.Name) //nolint:gosec // a gRPC code
}
