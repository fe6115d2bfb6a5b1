package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	_ "github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1" // callable, because linked
	_ "github.com/grpc-sandbox/sandbox/services/order/orderv1"         // callable, because linked
	_ "github.com/grpc-sandbox/sandbox/services/payment/paymentv1"     // callable, because linked
)

const servingPodHeader = "x-serving-pod"

func newCall(w world, g *globals) *cobra.Command {
	var release string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:     "call METHOD [JSON]",
		Short:   "Call a service over mutual TLS; prints the response, and the serving pod on stderr",
		Example: `  sandbox call user.v1.UserService/GetUser '{"userId":"u-1"}'`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			method, err := findMethod(args[0])
			if err != nil {
				return err
			}
			request := dynamicpb.NewMessage(method.Input())
			if len(args) == 2 {
				if err := protojson.Unmarshal([]byte(args[1]), request); err != nil {
					return usageError("reading the request as %s: %w\ntry: sandbox call %s '{}'", method.Input().FullName(), err, args[0])
				}
			}
			if release == "" {
				release = strings.ToLower(string(method.Parent().Name()))
			}
			s, err := openSession(cmd.Context(), w, g)
			if err != nil {
				return err
			}
			defer s.close()
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return s.call(ctx, w, release, method, request)
		},
	}
	cmd.Flags().StringVar(&release, "to", "", "release to call (default: the service's name in lower case)")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "deadline of the call")
	return cmd
}

func (s *session) call(ctx context.Context, w world, release string, method protoreflect.MethodDescriptor, request *dynamicpb.Message) error {
	if release == "loadgenerator" {
		release = "loadgen"
	}
	conn, err := s.dial(ctx, release)
	if err != nil {
		return err
	}
	response := dynamicpb.NewMessage(method.Output())
	var header metadata.MD
	full := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	err = conn.Invoke(ctx, full, request, response, grpc.Header(&header))
	if pods := header.Get(servingPodHeader); len(pods) > 0 {
		fmt.Fprintln(w.stderr, "served by", pods[0])
	}
	if err != nil {
		return &codedError{exitNotHeld, fmt.Errorf("%s: %s", status.Code(err), status.Convert(err).Message())}
	}
	text, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(response)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "%s\n", text)
	return err
}

// findMethod looks a unary method up among the services that this program is built with.
func findMethod(name string) (protoreflect.MethodDescriptor, error) {
	service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok {
		return nil, usageError("%q is no method\ntry: sandbox call user.v1.UserService/GetUser '{\"userId\":\"u-1\"}'", name)
	}
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	descriptor, isService := found.(protoreflect.ServiceDescriptor)
	if err != nil || !isService {
		return nil, usageError("%q is no service of the sandbox\ntry: one of %s", service, strings.Join(serviceNames(), ", "))
	}
	m := descriptor.Methods().ByName(protoreflect.Name(method))
	switch {
	case m == nil:
		return nil, usageError("%s has no method %q\ntry: one of %s", service, method, strings.Join(methodNames(descriptor), ", "))
	case m.IsStreamingClient() || m.IsStreamingServer():
		return nil, usageError("%s is a stream, and `call` makes one call with one answer\ntry: a unary method", name)
	}
	return m, nil
}

func serviceNames() []string {
	var names []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			if strings.HasPrefix(f.Path(), "user/") || strings.HasPrefix(f.Path(), "loadgen/") {
				names = append(names, string(f.Services().Get(i).FullName()))
			}
		}
		return true
	})
	return names
}

func methodNames(s protoreflect.ServiceDescriptor) []string {
	var names []string
	for i := range s.Methods().Len() {
		names = append(names, string(s.Methods().Get(i).Name()))
	}
	return names
}
