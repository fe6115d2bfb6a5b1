package contracts

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// find returns the descriptor of a method of a linked proto.
func find(method string) (protoreflect.MethodDescriptor, error) {
	service, name, _ := strings.Cut(method, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("no service %s: %w", service, err)
	}
	sd, ok := found.(protoreflect.ServiceDescriptor)
	if !ok || sd.Methods().ByName(protoreflect.Name(name)) == nil {
		return nil, fmt.Errorf("no method %s", method)
	}
	return sd.Methods().ByName(protoreflect.Name(name)), nil
}

func streamOf(m protoreflect.MethodDescriptor) *grpc.StreamDesc {
	return &grpc.StreamDesc{StreamName: string(m.Name()), ClientStreams: m.IsStreamingClient(), ServerStreams: m.IsStreamingServer()}
}

// parse reads a message of a contract. A field that the proto does not have is an error that names it.
func parse(d protoreflect.MessageDescriptor, text json.RawMessage) (*dynamicpb.Message, error) {
	m := dynamicpb.NewMessage(d)
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", d.FullName(), err)
	}
	return m, nil
}

// compact returns the JSON of a message, without the random spaces of protojson. If all is true, empty fields are included.
func compact(m proto.Message, all bool) (json.RawMessage, error) {
	data, err := protojson.MarshalOptions{EmitUnpopulated: all}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func codeNumber(name string) (int32, error) {
	n, ok := code.Code_value[name]
	if !ok {
		return 0, fmt.Errorf("%q is not a gRPC code", name)
	}
	return n, nil
}
