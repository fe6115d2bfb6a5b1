// Command rulegen generates the checks of a policy in package rules from the annotations in its proto. A rule that it cannot translate is an error,
// so that no rule of the proto is ignored.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// roots are the messages that are checked as a whole.
func roots() []protoreflect.ProtoMessage {
	return []protoreflect.ProtoMessage{(*policyv1.EffectivePolicy)(nil), (*policyv1.TrafficPolicySpec)(nil), (*policyv1.FaultSpec)(nil)}
}

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("rulegen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	output := flags.String("o", "", "the file to write")
	if flags.Parse(args) != nil || *output == "" {
		return 2
	}
	source, err := generate(roots()...)
	if err == nil {
		err = os.WriteFile(*output, source, 0o644)
	}
	if err != nil {
		fmt.Fprintln(stderr, "generating the checks of a policy:", err)
		return 1
	}
	return 0
}
