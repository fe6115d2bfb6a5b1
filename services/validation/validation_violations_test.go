package validation

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

func TestCheck_ManyViolations(t *testing.T) {
	good := &orderv1.CreateOrderRequest{UserId: "u-1", Lines: []*orderv1.OrderLine{{Sku: "a", Quantity: 1}}}
	start := time.Now()
	_ = Check(good)
	first := time.Since(start)
	start = time.Now()
	_ = Check(good)
	t.Logf("the first check of a type takes %s, the second %s", first, time.Since(start))
	bad := &orderv1.CreateOrderRequest{UserId: "u-1", Lines: slices.Repeat([]*orderv1.OrderLine{{}}, 1000)}
	start = time.Now()
	err := Check(bad)
	text, _ := proto.Marshal(status.Convert(err).Proto())
	t.Logf("a request of %d bytes: %d bytes of status, after %s", proto.Size(bad), len(text), time.Since(start))
	if len(text)*4/3 > 16<<10 {
		t.Error("the answer does not fit into the trailer")
	}
}
