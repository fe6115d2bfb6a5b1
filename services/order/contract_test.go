package order

import (
	"flag"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

var update = flag.Bool("update", false, "rewrite the contracts")

// expectation is an interaction, our own code that makes the call, and the code that our code must return.
type expectation struct {
	contracts.Interaction
	use  func(grpc.ClientConnInterface) error
	code codes.Code
}

// freshOrder marks the order id as a value that must be new in each replay: an order cannot be sold, charged or released twice.
var freshOrder = map[string]string{"order": "o-1"}

func keep(t *testing.T, provider string, fresh map[string]string, all []expectation) {
	t.Helper()
	c := contracts.Contract{Consumer: "orderservice", Provider: provider, Fresh: fresh}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			contracttest.Play(t, e.Interaction, func(conn grpc.ClientConnInterface) {
				if err := e.use(conn); status.Code(err) != e.code || refusal.Reason(err) != e.Reason {
					t.Errorf("our own code returns %v", err)
				}
			})
		})
		c.Interactions = append(c.Interactions, e.Interaction)
	}
	contracttest.Keep(t, c, *update)
}

func TestContract_UserService(t *testing.T) {
	ask := func(id string) func(grpc.ClientConnInterface) error {
		return func(conn grpc.ClientConnInterface) error {
			name, err := buyers{userv1.NewUserServiceClient(conn), newTestProfiles(t, 1)}.name(t.Context(), t.Context(), id)
			if err == nil && name == "" {
				t.Error("the user has no name")
			}
			return err
		}
	}
	const method = "user.v1.UserService/GetUser"
	keep(t, "userservice", nil, []expectation{
		{contracts.Interaction{Name: "a user", Method: method, Code: "OK",
			Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "u-42"}), contracts.Received(&userv1.GetUserResponse{User: &userv1.User{UserId: "u-42", Name: "Somebody"}})},
			Match:  map[string]contracts.Matcher{"user.name": {Regex: `\S.*`}}}, ask("u-42"), codes.OK},
		{contracts.Interaction{Name: "an unknown user", Method: method, Code: "NOT_FOUND",
			Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "u-999999999"})}}, ask("u-999999999"), codes.NotFound},
		{contracts.Interaction{Name: "a malformed id", Method: method, Code: "INVALID_ARGUMENT",
			Script: []contracts.Move{contracts.Sent(&userv1.GetUserRequest{UserId: "42"})}}, ask("42"), codes.InvalidArgument},
	})
}

func TestContract_InventoryService(t *testing.T) {
	o := &order{id: "o-1", lines: []line{{SKU: "sku-2", Quantity: 3}}}
	with := func(do func(*saga) error) func(grpc.ClientConnInterface) error {
		return func(conn grpc.ClientConnInterface) error {
			return do(&saga{inventory: inventoryv1.NewInventoryServiceClient(conn)})
		}
	}
	reserve := with(func(s *saga) error {
		err := s.reserve(t.Context(), o)
		if err == nil && o.total != 600 {
			t.Errorf("total is %d cents", o.total)
		}
		return err
	})
	commit, release := with(func(s *saga) error { return s.commit(t.Context(), o) }), with(func(s *saga) error { return s.release(t.Context(), o) })
	list := with(func(s *saga) error {
		all, err := collect(s.inventory.ListReservations(t.Context(), &inventoryv1.ListReservationsRequest{AfterOrderId: "a", UntilOrderId: "o-1"}))
		if len(all) != 1 || all[0].GetTotalCents() != 600 {
			t.Errorf("read %v", all)
		}
		return err
	})
	forget := with(func(s *saga) error { return (&pruner{saga: s}).forgetReservations(t.Context(), []string{"o-1"}) })
	forgotten := with(func(s *saga) error {
		_, err := s.inventory.GetForgottenReservations(t.Context(), &inventoryv1.GetForgottenReservationsRequest{})
		return err
	})
	const service = "inventory.v1.InventoryService/"
	forgets := contracts.Sent(&inventoryv1.ForgetReservationsRequest{OrderIds: []string{"o-1"}})
	sent := contracts.Sent(&inventoryv1.ReserveRequest{OrderId: "o-1", Lines: []*inventoryv1.Line{{Sku: "sku-2", Quantity: 3}}})
	cost := contracts.Received(&inventoryv1.ReserveResponse{TotalCents: 600})
	id := contracts.Sent(&inventoryv1.CommitRequest{OrderId: "o-1"})
	nothing := contracts.Received(&inventoryv1.CommitResponse{})
	keep(t, "inventoryservice", freshOrder, []expectation{
		{contracts.Interaction{Name: "reserve", Method: service + "Reserve", Script: []contracts.Move{sent, cost}, Code: "OK"}, reserve, codes.OK},
		{contracts.Interaction{Name: "reserve again", State: "the order is reserved", Method: service + "Reserve", Script: []contracts.Move{sent, cost}, Code: "OK"}, reserve, codes.OK},
		{contracts.Interaction{Name: "reserve after the release", State: "the order is released", Method: service + "Reserve", Script: []contracts.Move{sent},
			Code: "FAILED_PRECONDITION", Reason: "ORDER_RELEASED"}, reserve, codes.FailedPrecondition},
		{contracts.Interaction{Name: "commit", State: "the order is reserved", Method: service + "Commit", Script: []contracts.Move{id, nothing}, Code: "OK"}, commit, codes.OK},
		{contracts.Interaction{Name: "commit again", State: "the order is sold", Method: service + "Commit", Script: []contracts.Move{id, nothing}, Code: "OK"}, commit, codes.OK},
		{contracts.Interaction{Name: "release", State: "the order is reserved", Method: service + "Release", Script: []contracts.Move{id, nothing}, Code: "OK"}, release, codes.OK},
		{contracts.Interaction{Name: "release what was never reserved", Method: service + "Release", Script: []contracts.Move{id, nothing}, Code: "OK"}, release, codes.OK},
		{contracts.Interaction{Name: "list", State: "the order is reserved", Method: service + "ListReservations", Code: "OK", Script: []contracts.Move{
			contracts.Sent(&inventoryv1.ListReservationsRequest{AfterOrderId: "a", UntilOrderId: "o-1"}),
			contracts.Among("orderId", &inventoryv1.Reservation{OrderId: "o-1", State: inventoryv1.ReservationState_RESERVATION_STATE_RESERVED, TotalCents: 600})}}, list, codes.OK},
		// A sold order is not forgotten here: a replay in a running shop would add it to the balance without an order.
		{contracts.Interaction{Name: "forget", State: "the order is released", Method: service + "ForgetReservations", Script: []contracts.Move{forgets, nothing}, Code: "OK"}, forget, codes.OK},
		{contracts.Interaction{Name: "forget what was never reserved", Method: service + "ForgetReservations", Script: []contracts.Move{forgets, nothing}, Code: "OK"}, forget, codes.OK},
		{contracts.Interaction{Name: "the balance of forgotten reservations", Method: service + "GetForgottenReservations", Code: "OK", Match: balanceOf("reservations", "sold", "soldCents"),
			Script: []contracts.Move{contracts.Sent(&inventoryv1.GetForgottenReservationsRequest{}),
				contracts.Received(&inventoryv1.GetForgottenReservationsResponse{Reservations: 3, Sold: 2, SoldCents: 1200})}}, forgotten, codes.OK},
	})
}

func TestContract_PaymentService(t *testing.T) {
	with := func(total int64, do func(*saga, *order) error) func(grpc.ClientConnInterface) error {
		return func(conn grpc.ClientConnInterface) error {
			return do(&saga{payment: paymentv1.NewPaymentServiceClient(conn)}, &order{id: "o-1", userID: "u-42", total: total})
		}
	}
	charge := func(s *saga, o *order) error { return s.charge(t.Context(), o) }
	refund := func(s *saga, o *order) error { return s.refund(t.Context(), o) }
	list := func(s *saga, _ *order) error {
		all, err := collect(s.payment.ListPayments(t.Context(), &paymentv1.ListPaymentsRequest{AfterOrderId: "a", UntilOrderId: "o-1"}))
		if len(all) != 1 || all[0].GetAmountCents() != 600 {
			t.Errorf("read %v", all)
		}
		return err
	}
	forget := func(s *saga, _ *order) error {
		return (&pruner{saga: s}).forgetPayments(t.Context(), []string{"o-1"})
	}
	forgotten := func(s *saga, _ *order) error {
		_, err := s.payment.GetForgottenPayments(t.Context(), &paymentv1.GetForgottenPaymentsRequest{})
		return err
	}
	const service = "payment.v1.PaymentService/"
	forgets := contracts.Sent(&paymentv1.ForgetPaymentsRequest{OrderIds: []string{"o-1"}})
	sent := func(cents int64) contracts.Move {
		return contracts.Sent(&paymentv1.ChargeRequest{OrderId: "o-1", UserId: "u-42", AmountCents: cents})
	}
	nothing := contracts.Received(&paymentv1.ChargeResponse{})
	keep(t, "paymentservice", freshOrder, []expectation{
		{contracts.Interaction{Name: "charge", Method: service + "Charge", Script: []contracts.Move{sent(600), nothing}, Code: "OK"}, with(600, charge), codes.OK},
		{contracts.Interaction{Name: "charge again", State: "the order is charged", Method: service + "Charge", Script: []contracts.Move{sent(600), nothing}, Code: "OK"}, with(600, charge), codes.OK},
		{contracts.Interaction{Name: "charge too much", Method: service + "Charge", Script: []contracts.Move{sent(1_000_001)},
			Code: "FAILED_PRECONDITION", Reason: "PAYMENT_DECLINED"}, with(1_000_001, charge), codes.FailedPrecondition},
		{contracts.Interaction{Name: "refund", State: "the order is charged", Method: service + "Refund",
			Script: []contracts.Move{contracts.Sent(&paymentv1.RefundRequest{OrderId: "o-1"}), nothing}, Code: "OK"}, with(600, refund), codes.OK},
		{contracts.Interaction{Name: "charge after the refund", State: "the order is refunded", Method: service + "Charge", Script: []contracts.Move{sent(600)},
			Code: "FAILED_PRECONDITION", Reason: "ORDER_REFUNDED"}, with(600, charge), codes.FailedPrecondition},
		{contracts.Interaction{Name: "list", State: "the order is charged", Method: service + "ListPayments", Code: "OK", Script: []contracts.Move{
			contracts.Sent(&paymentv1.ListPaymentsRequest{AfterOrderId: "a", UntilOrderId: "o-1"}),
			contracts.Among("orderId", &paymentv1.Payment{OrderId: "o-1", UserId: "u-42", AmountCents: 600, State: paymentv1.PaymentState_PAYMENT_STATE_CHARGED})}},
			with(600, list), codes.OK},
		// A charged order is not forgotten here: a replay in a running shop would add it to the balance without an order.
		{contracts.Interaction{Name: "forget", State: "the order is refunded", Method: service + "ForgetPayments", Script: []contracts.Move{forgets, nothing}, Code: "OK"}, with(600, forget), codes.OK},
		{contracts.Interaction{Name: "forget what was never charged", Method: service + "ForgetPayments", Script: []contracts.Move{forgets, nothing}, Code: "OK"}, with(600, forget), codes.OK},
		{contracts.Interaction{Name: "the balance of forgotten payments", Method: service + "GetForgottenPayments", Code: "OK", Match: balanceOf("payments", "charged", "chargedCents"),
			Script: []contracts.Move{contracts.Sent(&paymentv1.GetForgottenPaymentsRequest{}),
				contracts.Received(&paymentv1.GetForgottenPaymentsResponse{Payments: 3, Charged: 2, ChargedCents: 1200})}}, with(600, forgotten), codes.OK},
	})
}

// balanceOf allows any number, which JSON has as a text, in each field.
func balanceOf(fields ...string) map[string]contracts.Matcher {
	match := map[string]contracts.Matcher{}
	for _, f := range fields {
		match[f] = contracts.Matcher{Regex: `\d+`}
	}
	return match
}

// collect reads a stream to its end.
func collect[T any](stream grpc.ServerStreamingClient[T], err error) (all []*T, _ error) {
	err = each(stream, err, func(one *T) error {
		all = append(all, one)
		return nil
	})
	return all, err
}
