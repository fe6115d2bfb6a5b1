package order

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestStore_Lease checks that an order belongs to its worker until the lease ends. Afterwards the next worker gets it, and the first one
// cannot change it any more.
func TestStore_Lease(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := shop{server: server, database: server.Database(t)}
	db := pgtest.Open(t, s.orders(t))
	pgtest.Eventually(t, "the database is ready", db.Ready)
	long, short := &store{db: db, lease: time.Hour}, &store{db: db, lease: time.Millisecond}
	ctx := t.Context()
	begin := func(s *store) *order {
		t.Helper()
		o, err := s.begin(ctx, newOrder{userID: "u-1", name: "Ada", lines: []line{{"sku-1", 1}}, digest: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	taken := func() string {
		t.Helper()
		all, err := long.takeUnfinished(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		ids := ""
		for _, o := range all {
			ids += o.id
		}
		return ids
	}
	begin(long)
	if got := taken(); got != "" {
		t.Errorf("%s was taken over before its lease ended", got)
	}
	left := begin(short)
	pgtest.Eventually(t, "a lease runs out", func() bool { return taken() == left.id })
	if got := taken(); got != "" {
		t.Errorf("%s was taken over twice", got)
	}
	if err := short.move(ctx, left, reserved); status.Code(err) != codes.Aborted {
		t.Errorf("a worker without the lease moved the order: %v", err)
	}
	if err := long.move(ctx, begin(short), reserved); err != nil {
		t.Error(err)
	}
	if got := taken(); got != "" {
		t.Errorf("a step did not renew the lease: %s was taken over", got)
	}
	for name, end := range map[string]func(context.Context, *order) error{
		"given up": long.giveUp,
		"finished": func(ctx context.Context, o *order) error { return long.move(ctx, o, cancelled) },
	} {
		o, want := begin(long), ""
		if err := end(ctx, o); err != nil {
			t.Error(err)
		}
		if name == "given up" {
			want = o.id
		}
		if got := taken(); got != want {
			t.Errorf("an order that was %s: %q was taken over", name, got)
		}
	}
}
