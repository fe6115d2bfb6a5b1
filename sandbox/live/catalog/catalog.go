// Package catalog has the gRPC services of the sandbox and their methods, and checks the names in a scenario against them, without a cluster.
package catalog

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/services/contracts/verify"
	"github.com/grpc-sandbox/sandbox/services/descriptors"
)

// Providers returns the releases with gRPC services.
func Providers() []verify.Provider {
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

// Service is a gRPC service.
type Service struct {
	protoreflect.ServiceDescriptor
	// Release is the name of the release that serves it.
	Release string
}

// Services returns every gRPC service of the sandbox.
func Services() []Service {
	var all []Service
	for _, s := range Providers() {
		for _, d := range s.Services {
			all = append(all, Service{d, s.Name})
		}
	}
	return all
}

// Serving returns the release that serves a gRPC service; empty if there is none.
func Serving(service string) string {
	for _, c := range Services() {
		if string(c.FullName()) == service {
			return c.Release
		}
	}
	return ""
}

// Unary returns the methods of a service with one request and one response.
func (s Service) Unary() []protoreflect.MethodDescriptor {
	var methods []protoreflect.MethodDescriptor
	for i := range s.Methods().Len() {
		if m := s.Methods().Get(i); !IsStream(m) {
			methods = append(methods, m)
		}
	}
	return methods
}

// IsStream reports whether a method has more than one request or response.
func IsStream(m protoreflect.MethodDescriptor) bool {
	return m.IsStreamingClient() || m.IsStreamingServer()
}

// Methods returns the full names of the methods of a release.
func Methods(release string) []string {
	var names []string
	for _, c := range Services() {
		if c.Release != release {
			continue
		}
		for i := range c.Methods().Len() {
			names = append(names, string(c.FullName())+"/"+string(c.Methods().Get(i).Name()))
		}
	}
	return names
}
