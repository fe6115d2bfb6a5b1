// Command crdgen writes the schemas of the control plane's custom resources, which its chart includes.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/yaml"

	"github.com/grpc-sandbox/sandbox/services/control/crd"
	// The rules of our own.
	_ "github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// specs are the messages of the specs, by the name of the file with their schema.
var specs = map[string]protoreflect.FullName{
	"trafficpolicy.yaml": "policy.v1.TrafficPolicySpec",
	"fault.yaml":         "policy.v1.FaultSpec",
}

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stderr)) }

func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("crdgen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	protos := flags.String("protos", "services/proto", "the folder of the protos")
	output := flags.String("o", "", "the folder to write to")
	if flags.Parse(args) != nil || *output == "" {
		return 2
	}
	if err := write(ctx, *protos, *output); err != nil {
		fmt.Fprintln(stderr, "generating the schemas of custom resources:", err)
		return 1
	}
	return 0
}

func write(ctx context.Context, protos, output string) error {
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	for file, name := range specs {
		text, err := schema(ctx, protos, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(output, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func schema(ctx context.Context, protos string, name protoreflect.FullName) ([]byte, error) {
	d, err := crd.Message(ctx, protos, "policy/v1/traffic.proto", name)
	if err != nil {
		return nil, err
	}
	s, err := crd.Schema(d)
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(s)
	return append([]byte("# Generated from "+string(name)+" by crdgen. DO NOT EDIT.\n"), text...), err
}
