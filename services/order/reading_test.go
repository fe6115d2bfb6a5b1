package order

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestReading_PartnerSeesItsOwnOrders checks that a gateway's partners cannot read each other's orders, and that callers inside the cluster read all.
func TestReading_PartnerSeesItsOwnOrders(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	db := pgtest.Open(t, shop{server: server, database: server.Database(t)}.orders(t))
	pgtest.Eventually(t, "the database is ready", db.Ready)
	s := &Service{store: &store{db: db, lease: testLease}}
	partner := func(name string) context.Context {
		return metadata.NewIncomingContext(as(t.Context(), "gateway"), metadata.Pairs(governance.PartnerHeader, name))
	}
	callers := map[string]context.Context{"acme": partner("acme"), "globex": partner("globex"), "initech": partner("initech"), "loadgen": as(t.Context(), "loadgen")}
	made := map[string][]string{}
	for _, name := range []string{"acme", "globex", "loadgen", "acme"} {
		n, err := newOrderOf(callers[name], request("", "sku-2", 1))
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.store.begin(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		made[name], made["all"] = append([]string{o.id}, made[name]...), append([]string{o.id}, made["all"]...)
	}
	for name, want := range map[string][]string{"acme": made["acme"], "globex": made["globex"], "initech": nil, "loadgen": made["all"]} {
		list, err := s.ListOrders(callers[name], &orderv1.ListOrdersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range list.GetOrders() {
			got = append(got, o.GetOrderId())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s lists %v, want %v", name, got, want)
		}
		for _, id := range made["all"] {
			_, err := s.GetOrder(callers[name], &orderv1.GetOrderRequest{OrderId: id})
			if found := status.Code(err) == codes.OK; found != slices.Contains(want, id) || !found && err.Error() != status.Errorf(codes.NotFound, "no order %q", id).Error() {
				t.Errorf("%s reads %s: %v", name, id, err)
			}
		}
	}
	page, err := s.ListOrders(callers["acme"], &orderv1.ListOrdersRequest{PageSize: 1, UserId: "u-42"})
	if err != nil || page.GetOrders()[0].GetOrderId() != made["acme"][0] {
		t.Fatal(page, err)
	}
	page, err = s.ListOrders(callers["acme"], &orderv1.ListOrdersRequest{PageSize: 1, UserId: "u-42", PageToken: page.GetNextPageToken()})
	if err != nil || page.GetOrders()[0].GetOrderId() != made["acme"][1] {
		t.Error(page, err)
	}
}
