package validation

import (
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// TestCheck_EveryKindOfRule breaks every kind of rule in use once. That also proves that buf compiled against the same annotations that protovalidate reads.
func TestCheck_EveryKindOfRule(t *testing.T) {
	user := func(change func(*userv1.CreateUserRequest)) *userv1.CreateUserRequest {
		r := &userv1.CreateUserRequest{Name: "Ada", Email: "ada@example.org", Age: 36, UserId: "u-2000"}
		change(r)
		return r
	}
	for _, c := range []struct {
		sentence string
		message  proto.Message
		fields   []string
	}{
		{"a valid request", user(func(*userv1.CreateUserRequest) {}), nil},
		{"an id is optional", user(func(r *userv1.CreateUserRequest) { r.UserId = "" }), nil},
		{"an id has a pattern", user(func(r *userv1.CreateUserRequest) { r.UserId = "u-01" }), []string{"user_id"}},
		{"a name must not be empty", user(func(r *userv1.CreateUserRequest) { r.Name = "" }), []string{"name"}},
		{"a name has a maximum length", user(func(r *userv1.CreateUserRequest) { r.Name = string(make([]byte, 101)) }), []string{"name"}},
		{"an email has a format", user(func(r *userv1.CreateUserRequest) { r.Email = "ada" }), []string{"email"}},
		{"several fields, several violations", user(func(r *userv1.CreateUserRequest) { r.Age, r.Email = 0, "" }), []string{"email", "age"}},
		{"an age has a maximum", user(func(r *userv1.CreateUserRequest) { r.Age = 151 }), []string{"age"}},
		{"the id of a message is not negative", &userv1.ChatMessage{UserId: "u-1", AfterId: proto.Int64(-1)}, []string{"after_id"}},
		{"an order needs lines", &orderv1.CreateOrderRequest{UserId: "u-1"}, []string{"lines"}},
		{"a line needs a quantity", &orderv1.CreateOrderRequest{UserId: "u-1", Lines: []*orderv1.OrderLine{{Sku: "a", Quantity: 1}, {Sku: "b"}}}, []string{"lines[1].quantity"}},
		{"a reservation has a maximum number of lines", &inventoryv1.ReserveRequest{OrderId: "o", Lines: slices.Repeat([]*inventoryv1.Line{{Sku: "a", Quantity: 1}}, 51)}, []string{"lines"}},
		{"a charge needs an amount", &paymentv1.ChargeRequest{OrderId: "o", UserId: "u-1"}, []string{"amount_cents"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			err := Check(c.message)
			if (err == nil) != (c.fields == nil) || (err != nil && status.Code(err) != codes.InvalidArgument) {
				t.Fatalf("got %v", err)
			}
			var got []string
			for _, d := range status.Convert(err).Details() {
				for _, v := range d.(*errdetails.BadRequest).GetFieldViolations() {
					got = append(got, v.GetField())
					if v.GetDescription() == "" {
						t.Errorf("%s has no description", v.GetField())
					}
				}
			}
			if !slices.Equal(got, c.fields) {
				t.Errorf("violations of %q, want %q", got, c.fields)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	r := &userv1.CreateUserRequest{Name: "Ada", Email: "ada@example.org", Age: 36, UserId: "u-2000"}
	for b.Loop() {
		if err := Check(r); err != nil {
			b.Fatal(err)
		}
	}
}
