package main

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/services/contracts/verify"
	"github.com/grpc-sandbox/sandbox/services/descriptors"
)

// providers returns the releases with gRPC services.
func providers() []verify.Provider {
	var all []verify.Provider
	for _, s := range charts.Services() {
		services, err := descriptors.Services(s.Protos...)
		if err != nil {
			// The record of a service names a proto that does not exist, which TestProviders_HaveMethods would report.
			panic(err)
		}
		all = append(all, verify.Provider{Name: s.Name, Services: services})
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
	for _, s := range providers() {
		for _, d := range s.Services {
			all = append(all, callable{d, s.Name})
		}
	}
	return all
}

// serving returns the release that serves a gRPC service; empty if there is none.
func serving(service string) string {
	for _, c := range callables() {
		if string(c.FullName()) == service {
			return c.release
		}
	}
	return ""
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
