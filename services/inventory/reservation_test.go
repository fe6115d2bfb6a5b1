package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// audit fails the test if the counters of stock and the reservation lines disagree.
func (w world) audit() {
	w.t.Helper()
	got, err := w.client.AuditStock(w.t.Context(), &inventoryv1.AuditStockRequest{})
	if err != nil || len(got.GetViolations()) > 0 {
		w.t.Error(got.GetViolations(), err)
	}
}

// TestReserve_Concurrent checks that the last pieces are sold once, that lines in any order do not deadlock, and that an order is reserved once.
func TestReserve_Concurrent(t *testing.T) {
	w := world{t, service(t)}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			// 20 orders want 7 pieces each, 140 in total, of which 100 exist.
			lines := []*inventoryv1.Line{line("sku-100", 7), line("sku-1", 1), line("sku-2", 1)}
			if i%2 == 0 {
				lines[0], lines[2] = lines[2], lines[0]
			}
			// Three calls for each order.
			order := fmt.Sprintf("order %d", i/3)
			_, err := w.reserve(order, lines...)
			switch {
			case err == nil && i%4 == 0:
				err = w.release(order)
			case err == nil && i%4 == 1:
				err = w.commit(order)
			}
			switch reason := refusal.Reason(err); {
			case err == nil, reason == ReasonOutOfStock, reason == ReasonReleased, reason == ReasonCommitted:
			default:
				t.Error(err)
			}
			w.audit()
		})
	}
	all.Wait()
	for sku, made := range map[string]int64{"sku-1": 10_000_000, "sku-2": 10_000_000, "sku-100": 100} {
		got, err := w.client.GetStock(t.Context(), &inventoryv1.GetStockRequest{Sku: sku})
		if err != nil || got.GetAvailable()+got.GetReserved()+got.GetSold() != made || got.GetSold() == 0 {
			t.Errorf("of %d pieces of %s there are %v, %v", made, sku, got, err)
		}
	}
	w.audit()
}

// TestReservation_ConcurrentCallsForOneOrder reserves, releases and commits one order at the same time while another transaction has locked
// one of its SKUs. None of the calls may hold a lock that another of them waits for.
func TestReservation_ConcurrentCallsForOneOrder(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "inventoryservice", "inventory")
	cfg.Migrations = Migrations()
	db := pgtest.Open(t, cfg)
	s := Service{db: db}
	pgtest.Eventually(t, "the database is ready", db.Ready)
	for round := range 20 {
		order := fmt.Sprintf("order %d", round)
		lines := []*inventoryv1.Line{line("sku-1", 1), line("sku-2", 1)}
		reserve := func() error {
			_, err := s.Reserve(t.Context(), &inventoryv1.ReserveRequest{OrderId: order, Lines: lines})
			return err
		}
		// In every other round the order does not exist yet.
		if round%2 == 0 {
			if err := reserve(); err != nil {
				t.Fatal(err)
			}
		}
		calls := []func() error{
			reserve, reserve,
			func() error {
				_, err := s.Release(t.Context(), &inventoryv1.ReleaseRequest{OrderId: order})
				return err
			},
			func() error {
				_, err := s.Commit(t.Context(), &inventoryv1.CommitRequest{OrderId: order})
				return err
			},
		}
		var all sync.WaitGroup
		var ended atomic.Int32
		whileLocked(t, db, "sku-1", func() {
			for i := range calls {
				all.Go(func() {
					defer ended.Add(1)
					if err := calls[(i+round)%len(calls)](); err != nil && status.Code(err) != codes.FailedPrecondition {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			pgtest.Eventually(t, "a call waits for the lock, or a release made waiting unnecessary", func() bool {
				return waiting(t, db) > 0 || int(ended.Load()) == len(calls)
			})
		})
		// A deadlock would finish a call with ABORTED.
		all.Wait()
	}
	if got, err := s.AuditStock(t.Context(), &inventoryv1.AuditStockRequest{}); err != nil || len(got.GetViolations()) > 0 {
		t.Error(got.GetViolations(), err)
	}
}

// whileLocked runs do while a transaction has locked a SKU.
func whileLocked(t *testing.T, db *postgres.DB, sku string, do func()) {
	t.Helper()
	err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM stock WHERE sku = $1 FOR UPDATE", sku); err != nil {
			return err
		}
		do()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// waiting returns the number of sessions that wait for a lock.
func waiting(t *testing.T, db *postgres.DB) (n int) {
	t.Helper()
	err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&n)
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// TestAuditStock_NamesTheSKU finds pieces without a reservation line, and lines without reserved pieces.
func TestAuditStock_NamesTheSKU(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "inventoryservice", "inventory")
	cfg.Migrations = Migrations()
	db := pgtest.Open(t, cfg)
	s := Service{db: db}
	pgtest.Eventually(t, "the database is ready", db.Ready)
	for _, order := range []string{"reserved", "sold"} {
		if _, err := s.Reserve(t.Context(), &inventoryv1.ReserveRequest{OrderId: order, Lines: []*inventoryv1.Line{line("sku-7", 3), line("sku-8", 1)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Commit(t.Context(), &inventoryv1.CommitRequest{OrderId: "sold"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ statement, want string }{
		{"SELECT", ""},
		{"UPDATE stock SET reserved = reserved + 1 WHERE sku = 'sku-7'", "sku-7 has 4 reserved and 3 sold, and its lines add up to 3 and 3"},
		{"UPDATE stock SET sold = 0 WHERE sku = 'sku-8'", "sku-8 has 1 reserved and 0 sold, and its lines add up to 1 and 1"},
		{"UPDATE stock SET sold = 1 WHERE sku = 'sku-9'", "sku-9 has 0 reserved and 1 sold, and its lines add up to 0 and 0"},
		{"DELETE FROM reservation_lines WHERE order_id = 'reserved' AND sku = 'sku-7'", "sku-7 has 3 reserved and 3 sold, and its lines add up to 0 and 3"},
	} {
		undo := errors.New("undo")
		err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, c.statement); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, mismatches)
			if err != nil {
				return err
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || strings.Join(got, "\n") != c.want {
				t.Errorf("after %q: got %q, %v", c.statement, got, err)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Error(err)
		}
	}
}
