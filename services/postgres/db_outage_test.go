package postgres_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestConn_ServerKilled writes concurrently while the server is killed and restarted.
func TestConn_ServerKilled(t *testing.T) {
	server := pgtest.Start(t)
	cfg := server.Config(t, "shop", "userservice", "users")
	cfg.Migrations, cfg.Acquire, cfg.Work = migrations, 0, 0
	var mu sync.Mutex
	var reports []bool
	cfg.OnReady = func(is bool) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, is)
	}
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "ready", db.Ready)

	ctx, stop := context.WithCancel(t.Context())
	var acknowledged sync.Map
	var writing sync.WaitGroup
	var kept, failed atomic.Int64
	for w := range 4 {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := w*1_000_000 + i
				start := time.Now()
				err := insert(context.Background(), db, id, fmt.Sprint(id))
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("a call took %s", took)
				}
				if err == nil {
					acknowledged.Store(id, true)
					kept.Add(1)
					continue
				}
				failed.Add(1)
				if code, why := reason(err); code != codes.Unavailable || why != postgres.ReasonAway {
					t.Errorf("a caller got %s %s: %v", code, why, err)
				}
			}
		})
	}
	pgtest.Eventually(t, "writes succeed", func() bool { return kept.Load() > 0 })
	server.Kill()
	pgtest.Eventually(t, "the outage is noticed", func() bool { return !db.Ready() && failed.Load() > 0 })
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "the recovery is noticed", db.Ready)
	before := kept.Load()
	pgtest.Eventually(t, "writes succeed again", func() bool { return kept.Load() > before })
	stop()
	writing.Wait()

	there := map[int]bool{}
	err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT id FROM notes")
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		for _, id := range ids {
			there[id] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	acknowledged.Range(func(id, _ any) bool {
		if !there[id.(int)] {
			t.Errorf("%d was acknowledged and is lost", id)
		}
		return true
	})
	mu.Lock()
	defer mu.Unlock()
	// Ready, unready, and ready again. A stalled machine may add changes, but never the same value twice in a row.
	if !alternates(reports) || len(reports) < 3 || !reports[0] {
		t.Errorf("OnReady calls: %v", reports)
	}
}

func alternates(reports []bool) bool {
	for i := 1; i < len(reports); i++ {
		if reports[i] == reports[i-1] {
			return false
		}
	}
	return true
}

// TestIdentity_RenewedCertificates checks that both sides use new certificates without a restart.
func TestIdentity_RenewedCertificates(t *testing.T) {
	server := pgtest.Start(t)
	dir := server.TLSFolder(t, "userservice")
	identity, err := governance.NewIdentity(governance.IdentityConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		// Atomic, because the pool may open a second connection.
		var seen atomic.Value
		cfg := server.Config(t, "shop", "userservice", "users")
		cfg.TLS = identity.ClientTLS(pgtest.ServerName)
		verify := cfg.TLS.VerifyConnection
		cfg.TLS.VerifyConnection = func(cs tls.ConnectionState) error {
			seen.Store(cs.PeerCertificates[0].SerialNumber.String())
			return verify(cs)
		}
		db, err := postgres.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) }); err != nil {
			t.Fatal(err)
		}
		return seen.Load().(string)
	}
	before := serial()
	if err := server.Renew(); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "the server shows its new certificate", func() bool { return serial() != before })
}
