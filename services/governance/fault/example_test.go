package fault_test

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/services/governance/fault"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// A program without governance can inject the same faults into its own calls.
func ExampleApply() {
	faults := fault.ForMethod([]*policyv1.Fault{{Name: "down", Method: "user.v1.UserService/Get*",
		Kind: &policyv1.Fault_Abort{Abort: &policyv1.Abort{Code: "UNAVAILABLE", Message: "injected"}}}}, "user-1", "", "user.v1.UserService/GetUser")
	none := func(string) []string { return nil }
	never := func() float64 { return 1 }
	_, err := fault.Apply(context.Background(), faults, none, never, func(f *fault.Fault) { fmt.Println("injecting", f.Name) })
	fmt.Println(err)
	// Output:
	// injecting down
	// rpc error: code = Unavailable desc = injected
}
