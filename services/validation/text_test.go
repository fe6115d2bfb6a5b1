package validation

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/grpc-sandbox/sandbox/services/control/telemetryv1"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// fieldsOf returns the fields in the violations of INVALID_ARGUMENT, and nil for any other error.
func fieldsOf(err error) (names []string) {
	if status.Code(err) != codes.InvalidArgument {
		return nil
	}
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				names = append(names, v.GetField())
			}
		}
	}
	return names
}

// TestText_EveryRequestField puts a NUL character into each string field of each request of the shop. It finds the fields by descriptor.
func TestText_EveryRequestField(t *testing.T) {
	checked := 0
	for _, file := range []protoreflect.FileDescriptor{userv1.File_user_v1_user_proto, orderv1.File_order_v1_order_proto,
		inventoryv1.File_inventory_v1_inventory_proto, paymentv1.File_payment_v1_payment_proto, loadgenv1.File_loadgen_v1_loadgen_proto} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				input := methods.Get(j).Input()
				eachText(input, func(path string, message proto.Message) {
					checked++
					if got := fieldsOf(Text(message)); len(got) != 1 || got[0] != path {
						t.Errorf("%s.%s: violations of %q", input.FullName(), path, got)
					}
				})
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d fields were found", checked)
	}
}

// eachText calls with once for each string field of d, at any depth, with a message in which this field contains a NUL character.
func eachText(d protoreflect.MessageDescriptor, with func(path string, message proto.Message)) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		put := func(message *dynamicpb.Message, v protoreflect.Value) {
			if f.IsList() {
				message.Mutable(f).List().Append(v)
			} else {
				message.Set(f, v)
			}
		}
		path := string(f.Name())
		if f.IsList() {
			path += "[0]"
		}
		switch f.Kind() {
		case protoreflect.StringKind:
			message := dynamicpb.NewMessage(d)
			put(message, protoreflect.ValueOfString("a\x00b"))
			with(path, message)
		case protoreflect.MessageKind:
			eachText(f.Message(), func(inner string, message proto.Message) {
				outer := dynamicpb.NewMessage(d)
				put(outer, protoreflect.ValueOfMessage(message.ProtoReflect()))
				with(path+"."+inner, outer)
			})
		}
	}
}

func TestText_Storable(t *testing.T) {
	for _, message := range []proto.Message{
		&userv1.CreateUserRequest{Name: "Zoë 👋\t\n\u0001", Email: "z@example.org"},
		&orderv1.CreateOrderRequest{Lines: []*orderv1.OrderLine{{Sku: "sku-1"}, {}}},
		&loadgenv1.LoadStats{Errors: map[string]int64{"UNAVAILABLE": 1}, LatencyHistogram: []byte{0, 255}},
	} {
		if err := Text(message); err != nil {
			t.Errorf("%v: %v", message, err)
		}
	}
}

func TestText_MapKeysAndValues(t *testing.T) {
	got := fieldsOf(Text(&telemetryv1.Event{Labels: map[string]string{"caller": "a\x00"}}))
	if len(got) != 1 || got[0] != `labels["caller"]` {
		t.Errorf("value: violations of %q", got)
	}
	if got := fieldsOf(Text(&loadgenv1.LoadStats{Errors: map[string]int64{"a\x00": 1}})); len(got) != 1 || got[0] != `errors["a\x00"]` {
		t.Errorf("key: violations of %q", got)
	}
}

func TestText_ManyViolations(t *testing.T) {
	request := &orderv1.CreateOrderRequest{}
	for range 1000 {
		request.Lines = append(request.Lines, &orderv1.OrderLine{Sku: "\x00"})
	}
	if got := fieldsOf(Text(request)); len(got) != maxViolations {
		t.Errorf("%d violations, want %d", len(got), maxViolations)
	}
}
