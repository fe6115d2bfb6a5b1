package loadgen

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/descriptors"
)

// method is a unary method of a service in services/proto.
type method struct {
	// path is the path of the HTTP/2 request, such as /user.v1.UserService/GetUser.
	path          string
	input, output protoreflect.MessageDescriptor
}

// findMethod parses a name such as "user.v1.UserService/GetUser" and looks the method up.
func findMethod(name string) (*method, error) {
	service, rpc, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok {
		return nil, remedy.Errorf(remedy.Value("user.v1.UserService/GetUser"), "method %q has no slash", name)
	}
	found, err := descriptors.Files().FindDescriptorByName(protoreflect.FullName(service))
	sd, isService := found.(protoreflect.ServiceDescriptor)
	if err != nil || !isService {
		return nil, fmt.Errorf("service %q is not known", service)
	}
	md := sd.Methods().ByName(protoreflect.Name(rpc))
	switch {
	case md == nil:
		return nil, fmt.Errorf("service %s has no method %q", service, rpc)
	case md.IsStreamingClient() || md.IsStreamingServer():
		return nil, fmt.Errorf("method %s streams; only unary methods can be called", name)
	}
	return &method{path: "/" + service + "/" + rpc, input: md.Input(), output: md.Output()}, nil
}

func (m *method) request(json string) (*dynamicpb.Message, error) {
	msg := dynamicpb.NewMessage(m.input)
	if err := protojson.Unmarshal([]byte(json), msg); err != nil {
		return nil, fmt.Errorf("reading the request as %s: %w", m.input.FullName(), err)
	}
	return msg, nil
}

// invoker makes unary calls.
type invoker interface {
	Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error
}

func (m *method) invoke(ctx context.Context, conn invoker, request *dynamicpb.Message) error {
	return conn.Invoke(ctx, m.path, request, dynamicpb.NewMessage(m.output))
}
