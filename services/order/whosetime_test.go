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

// deadline is a context whose time is up when the test says so.
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

// TestWhoseTimeWasUp: a caller who has time left may try again, and is told so.
func TestWhoseTimeWasUp(t *testing.T) {
	t.Parallel()
	at := openCounter(t)
	for _, c := range []struct {
		sentence, point string
		stalled         bool // time is up while the database is asked next, and not at the point
		keyed           bool
	}{
		{"in the making of an order", "", true, false},
		{"in the making of an order with a key", "", true, true},
		{"in the first step", "before reserve", false, false},
		{"in the storing of its end", "after reserve", true, false},
		{"in a later step", "before charge", false, true},
	} {
		for whose, code := range map[string]codes.Code{"our limit": codes.Unavailable, "the caller's deadline": codes.DeadlineExceeded} {
			t.Run(whose+" "+c.sentence, func(t *testing.T) {
				callers := newDeadline(t.Context())
				ours := callers
				if code == codes.Unavailable {
					ours = newDeadline(callers)
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
				got, err := at.create(ours, callers, request(key, "sku-2", 1))
				if status.Code(err) != code {
					t.Errorf("got %v, %v", got, err)
				}
				stalled.Wait()
				at.rest.sweep(t.Context())
				if now := settled(t, direct{at.Service}); now.GetConfirmed() != 0 {
					t.Errorf("it was sold: %v", now)
				}
			})
		}
	}
}

// TestCreateOrderIsLimited by a time of its own, wherever that ends it.
func TestCreateOrderIsLimited(t *testing.T) {
	t.Parallel()
	at := openCounter(t)
	at.limit = 200 * time.Millisecond
	at.saga.at = func(point string) {
		if point == "before reserve" {
			time.Sleep(2 * at.limit) // what the step takes
		}
	}
	if got, err := at.CreateOrder(t.Context(), request("", "sku-2", 1)); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, %v", got, err)
	}
	pgtest.Eventually(t, "nothing is left of it", func() bool {
		err := at.store.db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE orders SET lease = now()") // there was no time to give it up, perhaps
			return err
		})
		at.rest.sweep(t.Context())
		audit, auditErr := at.Service.Audit(t.Context(), nil)
		return err == nil && auditErr == nil && audit.GetInFlight() == 0 && audit.GetConsistent()
	})
}

// stall lets the next statement about orders wait, calls waits once it does, and goes on when the statement was given up.
func (c counter) stall(t *testing.T, until *sync.WaitGroup, waits func()) {
	locked := make(chan struct{})
	until.Go(func() {
		has := sync.OnceFunc(func() { close(locked) })
		defer has() // in vain
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
			_, err = waiting(ctx, tx, func(pid int) bool { return pid != first }) // perhaps the next statement waits already
			return err
		})
		if err != nil {
			t.Error("stalling the database:", err)
		}
	})
	<-locked
}

// waiting asks which process waits for this transaction, until the answer is as wanted. It is 0 when there is none.
func waiting(ctx context.Context, tx pgx.Tx, wanted func(pid int) bool) (pid int, err error) {
	for err == nil {
		err = tx.QueryRow(ctx, "SELECT coalesce(min(pid), 0) FROM pg_sleep(0.005), pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))").Scan(&pid)
		if err == nil && wanted(pid) {
			return pid, nil
		}
	}
	return 0, err
}
