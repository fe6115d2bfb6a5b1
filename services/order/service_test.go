package order

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestCreateOrder_CodesAndReasons(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	client := openShop(t, server, server.Database(t)).serve(t)
	changed := request("k", "sku-2", 4)
	unknown := request("", "sku-2", 1)
	unknown.UserId = "u-4242"
	malformed := request("", "sku-2", 1)
	malformed.UserId = "42"
	for _, c := range []struct {
		sentence string
		request  *orderv1.CreateOrderRequest
		code     codes.Code
		reason   string
	}{
		{"an order", request("k", "sku-2", 3), codes.OK, ""},
		{"a repeated request returns the same order", request("k", "sku-2", 3), codes.OK, ""},
		{"the same key with another request", changed, codes.InvalidArgument, ""},
		{"more than the available stock", request("x", "sku-100", 101), codes.FailedPrecondition, inventory.ReasonOutOfStock},
		{"a repeated request returns the same refusal", request("x", "sku-100", 101), codes.FailedPrecondition, inventory.ReasonOutOfStock},
		{"more than the payment limit", request("y", "sku-99", 1000), codes.FailedPrecondition, payment.ReasonDeclined},
		{"an unknown SKU", request("z", "sku-101", 1), codes.NotFound, ""},
		{"an order of an unknown user", unknown, codes.NotFound, ""},
		{"a malformed user id", malformed, codes.InvalidArgument, ""},
		{"nothing", &orderv1.CreateOrderRequest{UserId: "u-1"}, codes.InvalidArgument, ""},
	} {
		got, err := client.CreateOrder(t.Context(), c.request)
		if status.Code(err) != c.code || refusal.Reason(err) != c.reason {
			t.Errorf("%s: got %v", c.sentence, err)
		}
		o := got.GetOrder()
		if c.code == codes.OK && (o.GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED || o.GetTotalCents() != 700 || o.GetUserName() != "Alan Thompson" || len(o.GetLines()) != 2) {
			t.Errorf("%s: got %v", c.sentence, o)
		}
		if c.code == codes.OK {
			read, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: o.GetOrderId()})
			if err != nil || !proto.Equal(read.GetOrder(), o) {
				t.Errorf("%s: read %v, %v", c.sentence, read, err)
			}
		}
	}
	if got := settled(t, client); got.GetConfirmed() != 1 || got.GetCancelled() != 3 || got.GetChargedCents() != 700 {
		t.Errorf("the audit reports %v", got)
	}
	if _, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{OrderId: "o-none"}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
}

func TestListOrders_PagesNewestFirst(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	client := openShop(t, server, server.Database(t)).serve(t)
	for i := range 7 {
		r := request("", "sku-2", int32(i+1))
		r.UserId = fmt.Sprintf("u-%d", 1+i%2)
		if _, err := client.CreateOrder(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	list := func(user string) (quantities []int32) {
		token := ""
		for pages := 0; pages < 10; pages++ {
			got, err := client.ListOrders(t.Context(), &orderv1.ListOrdersRequest{UserId: user, PageSize: 3, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range got.GetOrders() {
				quantities = append(quantities, o.GetLines()[0].GetQuantity())
			}
			if token = got.GetNextPageToken(); token == "" {
				break
			}
		}
		return quantities
	}
	if got := fmt.Sprint(list("")); got != "[7 6 5 4 3 2 1]" {
		t.Error("all:", got)
	}
	if got := fmt.Sprint(list("u-2")); got != "[6 4 2]" {
		t.Error("of one:", got)
	}
	for _, bad := range []*orderv1.ListOrdersRequest{{PageToken: "x"}, {PageSize: -1}, {PageSize: 501}} {
		if _, err := client.ListOrders(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}
