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

// TestKilledMidTransaction: writers go on while the server is killed and comes back.
func TestKilledMidTransaction(t *testing.T) {
	server := pgtest.Start(t)
	cfg := server.Config(t, "shop", "userservice", "users")
	cfg.Migrations, cfg.Acquire, cfg.Work = migrations, 0, 0
	var mu sync.Mutex
	var told []bool
	cfg.OnReady = func(is bool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, is)
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
				begun := time.Now()
				err := insert(context.Background(), db, id, fmt.Sprint(id))
				if took := time.Since(begun); took > 5*time.Second {
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
	pgtest.Eventually(t, "it is written to", func() bool { return kept.Load() > 0 })
	server.Kill()
	pgtest.Eventually(t, "it is seen to be away", func() bool { return !db.Ready() && failed.Load() > 0 })
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgtest.Eventually(t, "it is seen to be back", db.Ready)
	before := kept.Load()
	pgtest.Eventually(t, "it is written to again", func() bool { return kept.Load() > before })
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
	// There, away, and there again; a machine that stands still may make more of it, but never the same twice.
	if !alternates(told) || len(told) < 3 || !told[0] {
		t.Errorf("it was told to be there: %v", told)
	}
}

func alternates(told []bool) bool {
	for i := 1; i < len(told); i++ {
		if told[i] == told[i-1] {
			return false
		}
	}
	return true
}

// TestRenewedCertificates: both sides take new certificates into use without a restart.
func TestRenewedCertificates(t *testing.T) {
	server := pgtest.Start(t)
	dir := server.TLSFolder(t, "userservice")
	identity, err := governance.NewIdentity(governance.IdentityConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		var seen atomic.Value // the pool may open a second connection beside the first
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
