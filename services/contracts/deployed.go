package contracts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Deployed has the descriptors of a running server, read by reflection.
type Deployed struct {
	// Services are the names of its services, without those of gRPC itself, such as health.
	Services []string
	// files are indexed by path.
	files map[string]*descriptorpb.FileDescriptorProto
}

// Ask reads the services of a server and their descriptors by reflection. Its errors have gRPC codes.
func Ask(ctx context.Context, conn grpc.ClientConnInterface) (Deployed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := Deployed{files: map[string]*descriptorpb.FileDescriptorProto{}}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return d, err
	}
	answer, err := ask(stream, &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return d, err
	}
	for _, s := range answer.GetListServicesResponse().GetService() {
		if !strings.HasPrefix(s.GetName(), "grpc.") {
			d.Services = append(d.Services, s.GetName())
		}
	}
	slices.Sort(d.Services)
	for _, name := range d.Services {
		request := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}}
		answer, err := ask(stream, request)
		if err == nil {
			err = d.add(answer.GetFileDescriptorResponse())
		}
		if err != nil {
			return d, err
		}
	}
	return d, nil
}

func ask(stream reflectionv1.ServerReflection_ServerReflectionInfoClient, request *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
	// If the stream ended, Recv returns the reason.
	_ = stream.Send(request)
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if refused := answer.GetErrorResponse(); refused != nil {
		return nil, status.Error(codes.Code(refused.GetErrorCode()), refused.GetErrorMessage()) //nolint:gosec // a gRPC code
	}
	return answer, nil
}

// add stores files. A server sends each file, imported ones included, only once per stream.
func (d Deployed) add(files *reflectionv1.FileDescriptorResponse) error {
	for _, data := range files.GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(data, file); err != nil {
			return fmt.Errorf("reading a file of descriptors: %w", err)
		}
		d.files[file.GetName()] = file
	}
	return nil
}

// Compare compares the deployed services with services of the source tree. problems are differences that a client of the tree would notice,
// and more lists what is deployed in addition.
func (d Deployed) Compare(tree ...protoreflect.ServiceDescriptor) (problems []Problem, more []string, err error) {
	set := &descriptorpb.FileDescriptorSet{}
	for _, f := range d.files {
		set.File = append(set.File, f)
	}
	// A client does not need the extensions of options, which reflection may leave out.
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(set)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the deployed descriptors: %w", err)
	}
	c := comparison{seen: map[protoreflect.FullName]bool{}}
	for _, service := range tree {
		c.service(service, files)
	}
	for _, name := range d.Services {
		if !slices.ContainsFunc(tree, func(s protoreflect.ServiceDescriptor) bool { return string(s.FullName()) == name }) {
			c.more = append(c.more, name)
		}
	}
	return c.problems, c.more, nil
}

func deployedService(files *protoregistry.Files, name protoreflect.FullName) protoreflect.ServiceDescriptor {
	found, err := files.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	service, _ := found.(protoreflect.ServiceDescriptor)
	return service
}
