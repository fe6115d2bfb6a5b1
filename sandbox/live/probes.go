package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live/probe"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/descriptors"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// Prober returns what probes the workload of a policy.
func (c *Cluster) Prober(ctx context.Context, spec *policyv1.TrafficPolicySpec) (probe.Prober, error) {
	target, err := c.probed(ctx, spec.GetSelector().GetMatchLabels())
	if err != nil {
		return probe.Prober{}, err
	}
	loadgen, err := c.Dial(ctx, charts.LoadGenerator)
	if err != nil {
		return probe.Prober{}, err
	}
	service, err := c.Dial(ctx, target.Service)
	if err != nil {
		return probe.Prober{}, err
	}
	return probe.Prober{Loads: loadgenv1.NewLoadGeneratorClient(loadgen), Faults: c, Target: target, Call: callerOf(service)}, nil
}

// probed returns the workload that labels select. It fails if they select only some pods of a service, or none: the calls of a probe reach every pod
// of one service.
func (c *Cluster) probed(ctx context.Context, labels map[string]string) (probe.Target, error) {
	name := labels[compile.ServiceLabel]
	services := charts.Services()
	i := slices.IndexFunc(services, func(s charts.Service) bool { return s.Name == name })
	if i < 0 || len(labels) != 1 {
		return probe.Target{}, remedy.Errorf(remedy.Advice(fmt.Sprintf("a policy with the selector {matchLabels: {%s: userservice}}", compile.ServiceLabel)),
			"the selector of the policy is not a whole service of the sandbox")
	}
	pods, err := c.Workloads.Pods(ctx, name)
	if err != nil {
		return probe.Target{}, err
	}
	target := probe.Target{Service: name, Loaded: slices.Contains(charts.LoadTargets(), name)}
	for _, p := range pods {
		if p.Ready {
			target.Pods++
		}
	}
	all, err := descriptors.Services(services[i].Protos...)
	if err != nil {
		return probe.Target{}, err
	}
	for _, s := range all {
		for j := range s.Methods().Len() {
			if m := s.Methods().Get(j); !m.IsStreamingClient() && !m.IsStreamingServer() {
				target.Methods = append(target.Methods, probe.Method{Name: string(s.FullName()) + "/" + string(m.Name()), Request: probeRequest(services[i], m)})
			}
		}
	}
	return target, nil
}

// probeRequest returns a request for a method. A service answers an empty one, too: with INVALID_ARGUMENT.
func probeRequest(s charts.Service, m protoreflect.MethodDescriptor) string {
	if string(m.Parent().FullName())+"/"+string(m.Name()) == s.Read.Name {
		return s.Read.Request
	}
	return "{}"
}

// callerOf returns a function that calls methods over a connection to one pod.
func callerOf(conn grpc.ClientConnInterface) probe.Caller {
	return func(ctx context.Context, m probe.Method, headers map[string]string) error {
		return invoke(metadata.NewOutgoingContext(ctx, metadata.New(headers)), conn, charts.Method{Name: m.Name, Request: m.Request})
	}
}

// invoke makes a unary call.
func invoke(ctx context.Context, conn grpc.ClientConnInterface, m charts.Method, opts ...grpc.CallOption) error {
	found, err := descriptors.Files().FindDescriptorByName(protoreflect.FullName(strings.Replace(m.Name, "/", ".", 1)))
	method, ok := found.(protoreflect.MethodDescriptor)
	if err != nil || !ok {
		return fmt.Errorf("calling %s: there is no such method", m.Name)
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal([]byte(m.Request), request); err != nil {
		return fmt.Errorf("calling %s: %w", m.Name, err)
	}
	return conn.Invoke(ctx, "/"+m.Name, request, dynamicpb.NewMessage(method.Output()), opts...)
}
