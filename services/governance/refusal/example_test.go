package refusal_test

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// A service refuses a call with a reason that programs can read, and says when to try again.
func ExampleNew() {
	err := refusal.New(codes.Unavailable, "STOCK_IS_COUNTED", "the stock is being counted", refusal.After(2*time.Second))
	fmt.Println(err)
	fmt.Println(refusal.Reason(err))
	delay, ok := refusal.RetryDelay(err)
	fmt.Println(delay, ok)
	// Output:
	// rpc error: code = Unavailable desc = the stock is being counted
	// STOCK_IS_COUNTED
	// 2s true
}

// A request with a wrong field is refused with the name of the field.
func ExampleField() {
	fmt.Println(refusal.Field("quantity", "must be at least 1"))
	// Output: rpc error: code = InvalidArgument desc = quantity: must be at least 1
}
