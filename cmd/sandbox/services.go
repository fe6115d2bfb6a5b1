package main

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// served is a release and the protos whose services it answers.
type served struct {
	release string
	protos  []protoreflect.FileDescriptor
}

// catalog is what can be called, and where.
func catalog() []served {
	return []served{
		{"userservice", []protoreflect.FileDescriptor{userv1.File_user_v1_user_proto}},
		{"orderservice", []protoreflect.FileDescriptor{orderv1.File_order_v1_order_proto}},
		{"inventoryservice", []protoreflect.FileDescriptor{inventoryv1.File_inventory_v1_inventory_proto}},
		{"paymentservice", []protoreflect.FileDescriptor{paymentv1.File_payment_v1_payment_proto}},
		{"loadgen", []protoreflect.FileDescriptor{loadgenv1.File_loadgen_v1_loadgen_proto}},
	}
}

// callable is a service, and the release that answers it.
type callable struct {
	protoreflect.ServiceDescriptor
	release string
}

func callables() []callable {
	var all []callable
	for _, s := range catalog() {
		for _, p := range s.protos {
			for i := range p.Services().Len() {
				all = append(all, callable{p.Services().Get(i), s.release})
			}
		}
	}
	return all
}

// unary are the methods of a service that make one call with one answer.
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
