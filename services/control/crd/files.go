package crd

import (
	"context"
	"fmt"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Message compiles a proto below a folder and returns a message that it or one of its imports declares. It has its comments, which generated Go code does
// not have. Imports from elsewhere must be linked as Go code.
func Message(ctx context.Context, dir, path string, name protoreflect.FullName) (protoreflect.MessageDescriptor, error) {
	return find(ctx, &protocompile.SourceResolver{ImportPaths: []string{dir}}, path, name)
}

func find(ctx context.Context, sources *protocompile.SourceResolver, path string, name protoreflect.FullName) (protoreflect.MessageDescriptor, error) {
	linked := protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		d, err := protoregistry.GlobalFiles.FindFileByPath(path)
		return protocompile.SearchResult{Desc: d}, err
	})
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{sources, linked}, SourceInfoMode: protocompile.SourceInfoStandard}
	files, err := compiler.Compile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("compiling %s: %w", path, err)
	}
	if d := findMessage(files[0], name); d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%s and its imports have no message %s", path, name)
}

// findMessage returns a message that a file or one of its imports declares, or nil.
func findMessage(file protoreflect.FileDescriptor, name protoreflect.FullName) protoreflect.MessageDescriptor {
	files := &protoregistry.Files{}
	if register(files, file) != nil {
		return nil
	}
	d, err := files.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MessageDescriptor)
	return m
}

// register registers a file and its imports.
func register(files *protoregistry.Files, file protoreflect.FileDescriptor) error {
	if _, err := files.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	for i := range file.Imports().Len() {
		if err := register(files, file.Imports().Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	return files.RegisterFile(file)
}
