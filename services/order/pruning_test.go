package order

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// pruner returns a pruner of all finished orders, as a replica of orderservice has it.
func (s shop) pruner(t *testing.T) *pruner {
	st := &store{db: pgtest.Open(t, s.orders(t)), lease: testLease}
	pgtest.Eventually(t, "the pruner's database is ready", st.db.Ready)
	return &pruner{tracer: noop.NewTracerProvider().Tracer(""), saga: &saga{store: st, inventory: s.inventory(), payment: s.payment(),
		log: slog.New(slog.DiscardHandler), limit: 20 * time.Second, at: func(string) {}}}
}

// expireMarks lets other replicas take all batches.
func (p *pruner) expireMarks(ctx context.Context) error {
	return p.saga.store.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "UPDATE orders SET pruning = now() - interval '1 second' WHERE pruning IS NOT NULL")
		return err
	})
}

// declined is a request that PaymentService declines.
func declined(key string) *orderv1.CreateOrderRequest {
	r := request(key, "sku-99", 1)
	r.Lines[0].Quantity = 1000
	return r
}

// totals is a response without the number of pruned orders.
func totals(a *orderv1.AuditResponse) string {
	return fmt.Sprintf("%d confirmed, %d cancelled, %d in flight, %d ordered, %d charged", a.GetConfirmed(), a.GetCancelled(), a.GetInFlight(), a.GetOrderedCents(), a.GetChargedCents())
}

// TestPruning_KilledAtEveryStep kills an orderservice at each point of pruning. Every audit still agrees, and another replica finishes.
func TestPruning_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	survivor := s.serve(t)
	tls := server.TLSFolder(t, "orderservice")
	finisher := s.pruner(t)
	var want *orderv1.AuditResponse
	points := []string{"marked", "payments forgotten", "reservations forgotten", "pruned"}
	for _, point := range points {
		for n := range 3 {
			if _, err := survivor.CreateOrder(t.Context(), request(fmt.Sprint(point, n), "sku-2", int32(1+n))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := survivor.CreateOrder(t.Context(), declined(point)); refusal.Reason(err) != payment.ReasonDeclined {
			t.Fatal(err)
		}
		want = settled(t, survivor)
		cmd := s.crashing(t.Context(), point, tls)
		cmd.Env = append(cmd.Env, "ORDER_PRUNES=1")
		if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%s: the victim ended with %v", point, err)
		}
		if got := settled(t, survivor); totals(got) != totals(want) {
			t.Errorf("killed when %s: the audit reports %s, want %s", point, totals(got), totals(want))
		}
		if err := finisher.expireMarks(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := finisher.sweep(t.Context()); err != nil {
		t.Error(err)
	}
	got := settled(t, survivor)
	if totals(got) != totals(want) || got.GetPruned() != int64(4*len(points)) {
		t.Errorf("after all crashes the audit reports %v, want %s", got, totals(want))
	}
	s.holdsNothing(t, survivor)
	// The key of a pruned order is forgotten.
	if again, err := survivor.CreateOrder(t.Context(), request("marked0", "sku-2", 1)); err != nil || again.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED {
		t.Errorf("the key of a pruned order: got %v, %v", again, err)
	}
	if got := settled(t, survivor); got.GetConfirmed() != want.GetConfirmed()+1 {
		t.Errorf("the key of a pruned order made no new order: %v", got)
	}
}

// holdsNothing checks that no order, payment or reservation is stored.
func (s shop) holdsNothing(t *testing.T, client orderv1.OrderServiceClient) {
	t.Helper()
	page, err := client.ListOrders(t.Context(), &orderv1.ListOrdersRequest{})
	if err != nil || len(page.GetOrders()) > 0 {
		t.Errorf("orders are left: %v, %v", page, err)
	}
	if left, err := collect(s.inventory().ListReservations(t.Context(), &inventoryv1.ListReservationsRequest{})); err != nil || len(left) > 0 {
		t.Errorf("reservations are left: %v, %v", left, err)
	}
	if left, err := collect(s.payment().ListPayments(t.Context(), &paymentv1.ListPaymentsRequest{})); err != nil || len(left) > 0 {
		t.Errorf("payments are left: %v, %v", left, err)
	}
}

// TestPruning_WhileSelling sells and audits while two replicas prune every order as soon as it is finished.
func TestPruning_WhileSelling(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	client := s.serve(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var pruning, selling sync.WaitGroup
	for range 2 {
		p := s.pruner(t)
		p.saga.at = func(at string) {
			// The other replica has time to take the same batch.
			if at == "payments forgotten" {
				if err := p.expireMarks(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		pruning.Go(func() {
			for ctx.Err() == nil {
				if _, err := p.sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	const sellers, each = 3, 20
	for seller := range sellers {
		selling.Go(func() {
			for n := range each {
				if _, err := client.CreateOrder(t.Context(), request(fmt.Sprint(seller, "-", n), "sku-2", 1)); err != nil {
					t.Error(err)
				}
				if _, err := client.CreateOrder(t.Context(), declined("")); refusal.Reason(err) != payment.ReasonDeclined {
					t.Error(err)
				}
				got, err := client.Audit(t.Context(), &orderv1.AuditRequest{})
				if code := status.Code(err); code != codes.OK && code != codes.Aborted || len(got.GetViolations()) > 0 {
					t.Errorf("the audit returns %v, %v", got, err)
				}
			}
		})
	}
	selling.Wait()
	stop()
	pruning.Wait()
	if _, err := s.pruner(t).sweep(t.Context()); err != nil {
		t.Error(err)
	}
	got := settled(t, client)
	if want := fmt.Sprintf("%d confirmed, %d cancelled, 0 in flight, %d ordered, %[3]d charged", sellers*each, sellers*each, sellers*each*300); totals(got) != want {
		t.Errorf("the audit reports %s, want %s", totals(got), want)
	}
	if got.GetPruned() != 2*sellers*each {
		t.Errorf("%d orders were pruned", got.GetPruned())
	}
	s.holdsNothing(t, client)
}

func TestMarkOld_SelectsOrders(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := shop{server: server, database: server.Database(t)}
	st := &store{db: pgtest.Open(t, s.orders(t)), lease: testLease}
	pgtest.Eventually(t, "the database is ready", st.db.Ready)
	const age = time.Hour
	for _, c := range []struct {
		sentence string
		// finished is when the lease ended, and pruning when the mark of another replica ends, relative to now.
		state             state
		finished, pruning string
		marked            bool
	}{
		{"confirmed long ago", confirmed, "-61 minutes", "", true},
		{"cancelled long ago", cancelled, "-61 minutes", "", true},
		{"confirmed a moment ago", confirmed, "-59 minutes", "", false},
		{"unfinished, and its worker died", charged, "-2 hours", "", false},
		{"being undone, and its worker died", cancelling, "-2 hours", "", false},
		{"marked by another replica", confirmed, "-2 hours", "1 second", false},
		{"marked by another replica that died", confirmed, "-2 hours", "-1 second", true},
	} {
		s.sql(t, "DELETE FROM orders")
		pruning := "NULL"
		if c.pruning != "" {
			pruning = "now() + interval '" + c.pruning + "'"
		}
		s.sql(t, fmt.Sprintf(`INSERT INTO orders (order_id, user_id, user_name, lines, state, request_digest, owner, lease, created, pruning)
			VALUES ('o', 'u', 'Ada', '[]', '%s', 'x', 'w', now() + interval '%s', now() - interval '1 day', %s)`, c.state, c.finished, pruning))
		ids, err := st.markOld(t.Context(), age, 10)
		if err != nil || (len(ids) == 1) != c.marked {
			t.Errorf("%s: marked %q, %v", c.sentence, ids, err)
		}
		again, err := st.markOld(t.Context(), age, 10)
		if err != nil || len(again) > 0 {
			t.Errorf("%s: marked %q twice, %v", c.sentence, again, err)
		}
		deleted, err := st.deleteMarked(t.Context(), []string{"o"})
		if want := int64(len(ids)); err != nil || c.pruning == "" && deleted != want {
			t.Errorf("%s: deleted %d of %d, %v", c.sentence, deleted, want, err)
		}
	}
	s.sql(t, "DELETE FROM orders")
	s.sql(t, `INSERT INTO orders (order_id, user_id, user_name, lines, state, request_digest, owner, lease)
		SELECT 'o-' || n, 'u', 'Ada', '[]', 'confirmed', 'x', 'w', now() - interval '2 hours' - n * interval '1 second' FROM generate_series(1, 25) AS n`)
	for _, want := range []int{10, 10, 5, 0} {
		ids, err := st.markOld(t.Context(), age, 10)
		if err != nil || len(ids) != want {
			t.Errorf("marked %q, %v; want %d", ids, err, want)
		}
	}
}
