package policy_test

import (
	"fmt"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// A policy can be replaced while calls are running. An invalid one changes nothing.
func ExamplePolicy() {
	first, err := policy.Parse([]byte(`
version: calm
client:
- method: user.v1.UserService/Get*
  deadline: {timeout: 300ms}
  retry: {idempotent: true, maxAttempts: 3}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	inForce, err := policy.New(first)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in force:", inForce.Version())
	_, err = policy.Parse([]byte("version: broken\nclient:\n- breaker:\n    failureRatio: 25\n"))
	fmt.Println(err)
	fmt.Println("in force:", inForce.Version())
	// Output:
	// in force: calm
	// reading the policy: line 4: client[0].breaker.failureRatio: must be above 0 and at most 1, not 25
	// in force: calm
}
