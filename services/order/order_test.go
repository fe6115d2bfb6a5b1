package order

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// deadline is a context that expires when the test decides.
type deadline struct {
	context.Context
	passed chan struct{}
}

func newDeadline(ctx context.Context) deadline { return deadline{ctx, make(chan struct{})} }

func (d deadline) pass()                 { close(d.passed) }
func (d deadline) Done() <-chan struct{} { return d.passed }

func (d deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestCreateOrder_Timeouts checks that a caller with time left gets UNAVAILABLE, which it may retry, when our own limit ends the call.
func TestCreateOrder_Timeouts(t *testing.T) {
	t.Parallel()
	at := newBareService(t)
	for _, c := range []struct {
		sentence, point string
		// stalled: the time expires during the next query, and not at the point.
		stalled bool
		keyed   bool
	}{
		{"while the order is created", "", true, false},
		{"while the order is created, with a key", "", true, true},
		{"during the first step", "before reserve", false, false},
		{"while the end of a step is stored", "after reserve", true, false},
		{"during a later step", "before charge", false, true},
	} {
		for whose, code := range map[string]codes.Code{"our limit": codes.Unavailable, "the caller's deadline": codes.DeadlineExceeded} {
			t.Run(whose+" "+c.sentence, func(t *testing.T) {
				callerCtx := newDeadline(t.Context())
				ours := callerCtx
				if code == codes.Unavailable {
					ours = newDeadline(callerCtx)
				}
				var stalled sync.WaitGroup
				at.saga.at = func(point string) {
					switch {
					case point != c.point:
					case c.stalled:
						at.stall(t, &stalled, ours.pass)
					default:
						ours.pass()
					}
				}
				key := ""
				if c.keyed {
					key = whose + c.sentence
				}
				at.saga.at("")
				got, err := at.create(ours, callerCtx, request(key, "sku-2", 1))
				if status.Code(err) != code {
					t.Errorf("got %v, %v", got, err)
				}
				stalled.Wait()
				at.finish(t)
				if now := settled(t, direct{at.Service}); now.GetConfirmed() != 0 {
					t.Errorf("the order was sold: %v", now)
				}
			})
		}
	}
}

// TestCreateOrder_OwnLimit checks that CreateOrder ends after its own limit, wherever it is at that moment.
func TestCreateOrder_OwnLimit(t *testing.T) {
	t.Parallel()
	at := newBareService(t)
	at.limit = 200 * time.Millisecond
	at.saga.at = func(point string) {
		if point == "before reserve" {
			// The step takes longer than the limit.
			step, done := context.WithTimeout(t.Context(), 2*at.limit)
			defer done()
			<-step.Done()
		}
	}
	if got, err := at.CreateOrder(t.Context(), request("", "sku-2", 1)); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, %v", got, err)
	}
	at.finish(t)
}

// finish takes over the orders in flight until there are none, as recovery does after a lease has ended.
func (c bareService) finish(t *testing.T) {
	t.Helper()
	pgtest.Eventually(t, "the order is undone", func() bool {
		err := c.store.db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			// There may not have been time to give up the lease.
			_, err := tx.Exec(ctx, "UPDATE orders SET lease = now()")
			return err
		})
		c.rest.sweep(t.Context())
		audit, auditErr := c.Service.Audit(t.Context(), nil)
		return err == nil && auditErr == nil && audit.GetInFlight() == 0 && audit.GetConsistent()
	})
}

// stall blocks the next statement about orders, calls waits while it is blocked, and returns the lock when the statement was cancelled.
func (c bareService) stall(t *testing.T, until *sync.WaitGroup, waits func()) {
	locked := make(chan struct{})
	until.Go(func() {
		has := sync.OnceFunc(func() { close(locked) })
		// In case the lock was not acquired.
		defer has()
		err := c.store.db.Tx(context.WithoutCancel(t.Context()), func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "LOCK TABLE orders"); err != nil {
				return err
			}
			has()
			first, err := waiting(ctx, tx, func(pid int) bool { return pid != 0 })
			if err != nil {
				return err
			}
			waits()
			// The next statement may be waiting already.
			_, err = waiting(ctx, tx, func(pid int) bool { return pid != first })
			return err
		})
		if err != nil {
			t.Error("stalling the database:", err)
		}
	})
	<-locked
}

// waiting polls which process waits for this transaction until wanted accepts it. The pid is 0 if there is none.
func waiting(ctx context.Context, tx pgx.Tx, wanted func(pid int) bool) (pid int, err error) {
	for err == nil {
		err = tx.QueryRow(ctx, "SELECT coalesce(min(pid), 0) FROM pg_sleep(0.005), pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))").Scan(&pid)
		if err == nil && wanted(pid) {
			return pid, nil
		}
	}
	return 0, err
}
