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
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

const servingPodHeader = "x-serving-pod"

func newCall(proc process, g *globals) *cobra.Command {
	var release string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:     "call METHOD [JSON]",
		Short:   "Call a method of a service over mutual TLS",
		Long:    "Call a method of a service over mutual TLS. The response is printed as JSON, the name of the pod that served it on standard error.",
		Example: `  sandbox call user.v1.UserService/GetUser '{"userId":"u-1"}'`,
		Args:    cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeFirst(func() []string {
			var names []string
			for _, c := range catalog.Services() {
				for _, m := range c.Unary() {
					names = append(names, string(c.FullName())+"/"+string(m.Name()))
				}
			}
			return names
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usageError(remedy.Flag("timeout", "5s"), "--timeout %s is not a positive duration", timeout)
			}
			method, home, err := findMethod(args[0])
			if err != nil {
				return err
			}
			request := dynamicpb.NewMessage(method.Input())
			if len(args) == 2 {
				if err := protojson.Unmarshal([]byte(args[1]), request); err != nil {
					return usageError(remedy.Command("call", args[0], "{}"), "reading the request as %s: %w", method.Input().FullName(), err)
				}
			}
			if release == "" {
				release = home
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return withCluster(ctx, proc, g, func(c *live.Cluster) error { return callRelease(ctx, proc, c, release, method, request) })
		},
	}
	cmd.Flags().StringVar(&release, "to", "", "release to call (default: the release that serves METHOD)")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "deadline of the call")
	return cmd
}

func callRelease(ctx context.Context, proc process, to dialer, release string, method protoreflect.MethodDescriptor, request *dynamicpb.Message) error {
	conn, err := to.Dial(ctx, release)
	if err != nil {
		return err
	}
	return invoke(ctx, proc, conn, method, request)
}

// invoke makes one call and prints the response. An error status from the service leads to exit code 1.
func invoke(ctx context.Context, proc process, conn grpc.ClientConnInterface, method protoreflect.MethodDescriptor, request *dynamicpb.Message) error {
	response := dynamicpb.NewMessage(method.Output())
	var header, trailer metadata.MD
	full := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	err := conn.Invoke(ctx, full, request, response, grpc.Header(&header), grpc.Trailer(&trailer))
	// A success has it in its header, an error in its trailer.
	if pods := metadata.Join(header, trailer).Get(servingPodHeader); len(pods) > 0 {
		fmt.Fprintln(proc.stderr, "served by", pods[0])
	}
	if err != nil {
		return answeredError(err)
	}
	text, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(response)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(proc.stdout, "%s\n", text)
	return err
}

// answeredError returns the error for a status that a service returned, with the remedies from its details.
func answeredError(err error) error {
	return &codedError{exitNotHeld, remedy.Wrap(fmt.Errorf("%s: %s", status.Code(err), status.Convert(err).Message()), refusal.Remedies(err)...)}
}

// findMethod returns the descriptor of a unary method and the release that serves it.
func findMethod(name string) (protoreflect.MethodDescriptor, string, error) {
	service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok {
		return nil, "", usageError(remedy.Command("call", "user.v1.UserService/GetUser", `{"userId":"u-1"}`), "%q is not a method", name)
	}
	var services []string
	for _, c := range catalog.Services() {
		services = append(services, string(c.FullName()))
		if c.FullName() == protoreflect.FullName(service) {
			m, err := methodIn(c, method)
			return m, c.Release, err
		}
	}
	return nil, "", usageError(remedy.OneOf(services...), "%q is not a service of the sandbox", service)
}

// methodIn returns the descriptor of a unary method of a service.
func methodIn(c catalog.Service, name string) (protoreflect.MethodDescriptor, error) {
	var names []string
	for _, m := range c.Unary() {
		names = append(names, string(m.Name()))
	}
	switch m := c.Methods().ByName(protoreflect.Name(name)); {
	case m == nil:
		return nil, usageError(remedy.OneOf(names...), "%s has no method %q", c.FullName(), name)
	case catalog.IsStream(m):
		return nil, usageError(remedy.OneOf(names...), "%s/%s is a streaming method; `call` supports unary methods only", c.FullName(), name)
	default:
		return m, nil
	}
}
