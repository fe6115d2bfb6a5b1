package main

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/services/descriptors"
)

// served is a release and the gRPC services that it serves.
type served struct {
	release  string
	services []protoreflect.ServiceDescriptor
}

// catalog returns what can be called, and where.
func catalog() []served {
	var all []served
	for _, s := range charts.Services() {
		services, err := descriptors.Services(s.Protos...)
		if err != nil {
			panic(err) // a service whose record names a proto that does not exist; TestCatalog finds it
		}
		all = append(all, served{s.Name, services})
	}
	return all
}

// callable is a gRPC service and the release that serves it.
type callable struct {
	protoreflect.ServiceDescriptor
	release string
}

func callables() []callable {
	var all []callable
	for _, s := range catalog() {
		for _, d := range s.services {
			all = append(all, callable{d, s.release})
		}
	}
	return all
}

// unary returns the methods of a service with one request and one response.
func (c callable) unary() []protoreflect.MethodDescriptor {
	var methods []protoreflect.MethodDescriptor
	for i := range c.Methods().Len() {
		if m := c.Methods().Get(i); !isStream(m) {
			methods = append(methods, m)
		}
	}
	return methods
}

func isStream(m protoreflect.MethodDescriptor) bool {
	return m.IsStreamingClient() || m.IsStreamingServer()
}
