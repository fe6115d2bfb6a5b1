package inventory

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
)

func (w world) forget(orders ...string) error {
	_, err := w.client.ForgetReservations(w.t.Context(), &inventoryv1.ForgetReservationsRequest{OrderIds: orders})
	return err
}

// balance returns "rows/sold/cents" of all forgotten reservations.
func (w world) balance() string {
	w.t.Helper()
	got, err := w.client.GetForgottenReservations(w.t.Context(), &inventoryv1.GetForgottenReservationsRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d/%d/%d", got.GetReservations(), got.GetSold(), got.GetSoldCents())
}

// left returns the orders that have a reservation.
func (w world) left() (orders []string) {
	w.t.Helper()
	stream, err := w.client.ListReservations(w.t.Context(), &inventoryv1.ListReservationsRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return orders
		}
		orders = append(orders, r.GetOrderId())
	}
}

func TestForgetReservations_CarriesTheBalance(t *testing.T) {
	w := world{t, service(t)}
	for _, order := range []string{"held", "kept", "sold", "sold too", "undone"} {
		if _, err := w.reserve(order, line("sku-2", 3), line("sku-100", 1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, order := range []string{"kept", "sold", "sold too"} {
		if err := w.commit(order); err != nil {
			t.Fatal(err)
		}
	}
	for _, order := range []string{"undone", "never reserved"} {
		if err := w.release(order); err != nil {
			t.Fatal(err)
		}
	}
	const cents = 3*200 + 10_000
	for _, c := range []struct {
		sentence string
		orders   []string
		want     string
	}{
		{"an order without a reservation changes nothing", []string{"unknown"}, "0/0/0"},
		{"reserved stock is not forgotten", []string{"held"}, "0/0/0"},
		{"a sold order is counted with its price", []string{"sold", "unknown"}, fmt.Sprintf("1/1/%d", cents)},
		{"repeating it changes nothing", []string{"sold"}, fmt.Sprintf("1/1/%d", cents)},
		{"released orders are counted without a price", []string{"sold", "undone", "never reserved"}, fmt.Sprintf("3/1/%d", cents)},
		{"the pieces of a second order are added", []string{"sold too", "sold too"}, fmt.Sprintf("4/2/%d", 2*cents)},
	} {
		if err := w.forget(c.orders...); err != nil {
			t.Errorf("%s: %v", c.sentence, err)
		}
		if got := w.balance(); got != c.want {
			t.Errorf("%s: the balance is %s, want %s", c.sentence, got, c.want)
		}
		w.audit()
	}
	if got := w.left(); !slices.Equal(got, []string{"held", "kept"}) {
		t.Errorf("kept %q", got)
	}
	if got := w.stock("sku-100"); got != "96/1/3" {
		t.Errorf("the stock is %s", got)
	}
	for sentence, orders := range map[string][]string{
		"no order": nil, "an empty id": {""}, "too many": slices.Repeat([]string{"x"}, 1001),
	} {
		if err := w.forget(orders...); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: got %v", sentence, err)
		}
	}
}

// TestForgetReservations_WhileSelling forgets orders several times at once while others are sold, and audits all the time.
func TestForgetReservations_WhileSelling(t *testing.T) {
	w := world{t, service(t)}
	const orders = 60
	id := func(n int) string { return fmt.Sprintf("o-%03d", n) }
	sell := func(n int) {
		if _, err := w.reserve(id(n), line("sku-1", 1), line("sku-2", 1)); err != nil {
			t.Error(err)
		}
		if err := w.commit(id(n)); err != nil {
			t.Error(err)
		}
	}
	for n := range orders {
		sell(n)
	}
	var old []string
	for n := range orders {
		old = append(old, id(n))
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for batch := range slices.Chunk(old, 20) {
				if i%2 == 1 {
					batch = slices.Clone(batch)
					slices.Reverse(batch)
				}
				if err := w.forget(batch...); err != nil {
					t.Error(err)
				}
				w.audit()
			}
		})
		all.Go(func() {
			for n := range 10 {
				sell(orders + 10*i + n)
			}
		})
	}
	all.Wait()
	w.audit()
	if got, want := w.balance(), fmt.Sprintf("%d/%d/%d", orders, orders, orders*300); got != want {
		t.Errorf("the balance is %s, want %s", got, want)
	}
	if got := len(w.left()); got != 40 {
		t.Errorf("%d reservations are left, want 40", got)
	}
}
