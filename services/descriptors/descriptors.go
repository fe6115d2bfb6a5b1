// Package descriptors contains the descriptors of every proto below services/proto, for programs that call methods by name without linking the
// generated code of each service. `task generate` writes them.
package descriptors

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

//go:embed descriptors.binpb
var encoded []byte

// Encoded returns a FileDescriptorSet with all protos and what they import, as tools such as grpcurl read it.
func Encoded() []byte { return slices.Clone(encoded) }

// Files returns the descriptors, by paths relative to services/proto.
var Files = sync.OnceValue(func() *protoregistry.Files {
	var set descriptorpb.FileDescriptorSet
	err := proto.Unmarshal(encoded, &set)
	if err != nil {
		// The file is part of this program.
		panic(fmt.Sprintf("descriptors.binpb: %v", err))
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		panic(fmt.Sprintf("descriptors.binpb: %v", err))
	}
	return files
})

// Services returns the gRPC services of the files at paths, such as user/v1/user.proto.
func Services(paths ...string) ([]protoreflect.ServiceDescriptor, error) {
	var all []protoreflect.ServiceDescriptor
	for _, path := range paths {
		file, err := Files().FindFileByPath(path)
		if err != nil {
			return nil, fmt.Errorf("finding services/proto/%s: %w", path, err)
		}
		for i := range file.Services().Len() {
			all = append(all, file.Services().Get(i))
		}
	}
	return all, nil
}
