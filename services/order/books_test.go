package order

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// shelf implements the sources of books in memory. The order of each id is confirmed at one cent, and where something is held, it is one cent
// too.
type shelf struct {
	inventoryv1.InventoryServiceClient
	paymentv1.PaymentServiceClient
	// The ids are sorted.
	orders, held []string
	// name is the name of every buyer.
	name string
	// late is the answer of get, which is called for orders that were not read.
	late error
	// miscounted are the violations that AuditStock returns.
	miscounted []string
	// turn is called for each page.
	turn  func()
	asked []string
	// balances are the values of pruned; the last one is repeated.
	balances []prunedOrders
	// forgotten are the balances of payments and reservations.
	forgotten count
}

func (s *shelf) pruned(context.Context) (p prunedOrders, _ error) {
	if len(s.balances) > 0 {
		p = s.balances[0]
		s.balances = s.balances[min(1, len(s.balances)-1):]
	}
	return p, nil
}

func (s *shelf) GetForgottenPayments(context.Context, *paymentv1.GetForgottenPaymentsRequest, ...grpc.CallOption) (*paymentv1.GetForgottenPaymentsResponse, error) {
	return &paymentv1.GetForgottenPaymentsResponse{Charged: s.forgotten.n, ChargedCents: s.forgotten.cents}, nil
}

func (s *shelf) GetForgottenReservations(context.Context, *inventoryv1.GetForgottenReservationsRequest, ...grpc.CallOption) (*inventoryv1.GetForgottenReservationsResponse, error) {
	return &inventoryv1.GetForgottenReservationsResponse{Sold: s.forgotten.n, SoldCents: s.forgotten.cents}, nil
}

func (s *shelf) ordersAfter(_ context.Context, after string, size int) (page []*order, err error) {
	s.asked = append(s.asked, fmt.Sprintf("%d orders from %s", size, after))
	s.turn()
	for _, id := range between(s.orders, after, "") {
		if len(page) == size {
			break
		}
		page = append(page, &order{id: id, name: strings.Clone(s.name), total: 1, state: confirmed})
	}
	return page, nil
}

func (s *shelf) get(context.Context, string, string) (*order, error) { return nil, s.late }

func (s *shelf) AuditStock(context.Context, *inventoryv1.AuditStockRequest, ...grpc.CallOption) (*inventoryv1.AuditStockResponse, error) {
	return &inventoryv1.AuditStockResponse{Violations: s.miscounted}, nil
}

func (s *shelf) ListReservations(_ context.Context, r *inventoryv1.ListReservationsRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[inventoryv1.Reservation], error) {
	s.asked = append(s.asked, fmt.Sprintf("stock from %s to %s", r.GetAfterOrderId(), r.GetUntilOrderId()))
	return &listing[inventoryv1.Reservation]{ids: between(s.held, r.GetAfterOrderId(), r.GetUntilOrderId()), item: func(id string) *inventoryv1.Reservation {
		return &inventoryv1.Reservation{OrderId: id, State: inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED, TotalCents: 1}
	}}, nil
}

func (s *shelf) ListPayments(_ context.Context, r *paymentv1.ListPaymentsRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[paymentv1.Payment], error) {
	s.asked = append(s.asked, fmt.Sprintf("money from %s to %s", r.GetAfterOrderId(), r.GetUntilOrderId()))
	return &listing[paymentv1.Payment]{ids: between(s.held, r.GetAfterOrderId(), r.GetUntilOrderId()), item: func(id string) *paymentv1.Payment {
		return &paymentv1.Payment{OrderId: id, State: paymentv1.PaymentState_PAYMENT_STATE_CHARGED, AmountCents: 1}
	}}, nil
}

// between returns the ids in (after, until].
func between(ids []string, after, until string) []string {
	first, found := slices.BinarySearch(ids, after)
	if found {
		first++
	}
	last := len(ids)
	if until != "" {
		if last, found = slices.BinarySearch(ids, until); found {
			last++
		}
	}
	return ids[first:last]
}

// listing is a server stream in memory.
type listing[T any] struct {
	grpc.ClientStream
	ids  []string
	item func(id string) *T
}

func (l *listing[T]) Recv() (*T, error) {
	if len(l.ids) == 0 {
		return nil, io.EOF
	}
	id := l.ids[0]
	l.ids = l.ids[1:]
	return l.item(id), nil
}

func TestAudit_PageByPage(t *testing.T) {
	const noOrder = ", which is no order"
	notFound := status.Error(codes.NotFound, "no such order")
	for _, c := range []struct {
		sentence     string
		orders, held string
		late         error
		asked        string
		confirmed    int64
		violations   []string
		code         codes.Code
	}{
		{"no orders", "", "", notFound, "2 orders from ; stock from  to ; money from  to ", 0, nil, codes.OK},
		{"a page that is not full is the last one", "b", "b", notFound, "2 orders from ; stock from  to ; money from  to ", 1, nil, codes.OK},
		{"orders are read before their holdings, which are read up to the last order", "bdf", "bdf", notFound,
			"2 orders from ; stock from  to d; money from  to d; 2 orders from d; stock from d to ; money from d to ", 3, nil, codes.OK},
		{"a full page is followed by another one, even if that is empty", "bd", "bd", notFound,
			"2 orders from ; stock from  to d; money from  to d; 2 orders from d; stock from d to ; money from d to ", 2, nil, codes.OK},
		{"an order of the second page has no holdings", "bdf", "bd", notFound,
			"2 orders from ; stock from  to d; money from  to d; 2 orders from d; stock from d to ; money from d to ", 3, []string{"f is confirmed", "f is confirmed"}, codes.OK},
		{"holdings exist before, between and after all orders", "bdf", "abcdefg", notFound,
			"2 orders from ; stock from  to d; money from  to d; 2 orders from d; stock from d to ; money from d to ", 3,
			[]string{"stock is held for a" + noOrder, "stock is held for c" + noOrder, "money is held for a" + noOrder, "money is held for c" + noOrder,
				"stock is held for e" + noOrder, "stock is held for g" + noOrder, "money is held for e" + noOrder, "money is held for g" + noOrder}, codes.OK},
		{"an order was placed during the audit", "b", "bc", nil, "2 orders from ; stock from  to ; money from  to ", 1, nil, codes.OK},
		{"looking up an order fails", "b", "bc", status.Error(codes.Unavailable, "away"), "2 orders from ; stock from  to ", 0, nil, codes.Unavailable},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := &shelf{orders: strings.Split(c.orders, ""), held: strings.Split(c.held, ""), late: c.late, turn: func() {}}
			got, err := books{orders: s, stock: s, money: s, page: 2}.audit(t.Context())
			if asked := strings.Join(s.asked, "; "); asked != c.asked {
				t.Errorf("requests %s\nwant     %s", asked, c.asked)
			}
			if status.Code(err) != c.code || got.GetConfirmed() != c.confirmed || got.GetConsistent() != (err == nil && c.violations == nil) {
				t.Errorf("got %v, %v", got, err)
			}
			if !slices.EqualFunc(got.GetViolations(), c.violations, strings.HasPrefix) {
				t.Errorf("violations %q", got.GetViolations())
			}
		})
	}
}

func TestAudit_StockCounters(t *testing.T) {
	s := &shelf{miscounted: []string{"sku-7 has 4 reserved"}, turn: func() {}}
	got, err := books{orders: s, stock: s, money: s, page: 2}.audit(t.Context())
	if err != nil || got.GetConsistent() || !slices.Equal(got.GetViolations(), s.miscounted) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAudit_MemoryIsBounded(t *testing.T) {
	const many, page, each = 1000, 10, 64 << 10
	s := &shelf{name: strings.Repeat("x", each)}
	for i := range many {
		s.orders = append(s.orders, fmt.Sprintf("o-%04d", i))
	}
	s.held = s.orders
	var most, first uint64
	s.turn = func() {
		// Measuring every tenth page is enough.
		if len(s.asked)%(3*10) != 1 {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if first == 0 {
			first = m.HeapAlloc
		}
		most = max(most, m.HeapAlloc-min(first, m.HeapAlloc))
	}
	got, err := books{orders: s, stock: s, money: s, page: page}.audit(t.Context())
	if err != nil || !got.GetConsistent() || got.GetConfirmed() != many {
		t.Errorf("got %v, %v", got, err)
	}
	if limit := uint64(many / 4 * each); most > limit {
		t.Errorf("the audit used %d KiB of %d", most>>10, many*each>>10)
	}
}

// TestAudit_ManyOrders finds differences on the first page, on the last, and in between.
func TestAudit_ManyOrders(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	client := s.serve(t)
	const many = 7 * auditPage / 2
	var orders, stock, money [][]any
	want := &orderv1.AuditResponse{Consistent: true}
	for i := range many {
		id, cents := fmt.Sprintf("o-%05d", i), int64(100+i)
		row := func(state state) {
			orders = append(orders, []any{id, "u-1", "Ada", "[]", cents, string(state), []byte("x"), "nobody", time.Now()})
		}
		switch i % 10 {
		case 0:
			row(cancelled)
			stock = append(stock, []any{id, "released", cents})
			money = append(money, []any{id, "u-1", cents, "refunded"})
			want.Cancelled++
		default:
			row(confirmed)
			stock = append(stock, []any{id, "committed", cents})
			money = append(money, []any{id, "u-1", cents, "charged"})
			want.Confirmed++
			want.OrderedCents += cents
			want.ChargedCents += cents
		}
	}
	// Orders are not placed in the order of their ids.
	slices.Reverse(orders)
	s.insertRows(t, "orderservice", "orders", "orders", []string{"order_id", "user_id", "user_name", "lines", "total_cents", "state", "request_digest", "owner", "lease"}, orders)
	s.insertRows(t, "inventoryservice", "inventory", "reservations", []string{"order_id", "state", "total_cents"}, stock)
	s.insertRows(t, "paymentservice", "payments", "payments", []string{"order_id", "user_id", "amount_cents", "state"}, money)
	if got := settled(t, client); got.String() != want.String() {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	s.insertRows(t, "inventoryservice", "inventory", "reservations", []string{"order_id", "state", "total_cents"}, [][]any{{"o-", "reserved", 1}, {"p", "committed", 1}})
	s.insertRows(t, "paymentservice", "payments", "payments", []string{"order_id", "user_id", "amount_cents", "state"}, [][]any{{"o-00700x", "u-1", 1, "charged"}})
	s.sql(t, "UPDATE orders SET total_cents = 1 WHERE order_id IN ('o-00001', 'o-00701', 'o-01749')")
	var got *orderv1.AuditResponse
	pgtest.Succeeds(t, "the books are read", func(ctx context.Context) (err error) {
		got, err = client.Audit(ctx, &orderv1.AuditRequest{})
		return err
	})
	for _, want := range []string{"stock is held for o-,", "o-00001 is confirmed over 1 cents, and its stock", "o-00001 is confirmed over 1 cents, and its payment",
		"money is held for o-00700x,", "o-00701 is confirmed over 1 cents, and its stock", "o-00701 is confirmed over 1 cents, and its payment",
		"stock is held for p,", "o-01749 is confirmed over 1 cents, and its stock", "o-01749 is confirmed over 1 cents, and its payment"} {
		if len(got.Violations) == 0 || !strings.HasPrefix(got.Violations[0], want) {
			t.Fatalf("violations %q, want %s …", got.GetViolations(), want)
		}
		got.Violations = got.Violations[1:]
	}
	if len(got.Violations) > 0 || got.GetConsistent() {
		t.Errorf("unexpected violations: %v", got)
	}
}

// insertRows fills a table of a service.
func (s shop) insertRows(t *testing.T, service, role, table string, columns []string, rows [][]any) {
	t.Helper()
	db, err := postgres.Open(s.server.Config(t, s.database, service, role))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
