package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestMigrate_ConcurrentReplicas(t *testing.T) {
	server := pgtest.Shared(t)
	name := server.Database(t)
	var replicas []*postgres.DB
	for range 3 {
		cfg := server.Config(t, name, "userservice", "users")
		cfg.Migrations = migrations
		replicas = append(replicas, pgtest.Open(t, cfg))
	}
	for i, db := range replicas {
		pgtest.Eventually(t, "every replica is ready", db.Ready)
		if err := insert(t.Context(), db, i, string(rune('a'+i))); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, replicas[0]); n != 3 {
		t.Errorf("there are %d notes", n)
	}
}

func TestRun_BrokenMigration(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "userservice", "users")
	cfg.Migrations = fstest.MapFS{"1_bad.sql": {Data: []byte("-- +goose Up\nCREATE TABEL x ();\n")}}
	db, err := postgres.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Run(t.Context()); err == nil {
		t.Error("Run returned no error for a broken migration")
	}
	if code, why := reason(insert(t.Context(), db, 1, "x")); code != codes.Unavailable || why != postgres.ReasonAway {
		t.Errorf("a call before the migrations got %s %s", code, why)
	}
}

func TestConn_RoleNeedsItsCertificate(t *testing.T) {
	server := pgtest.Shared(t)
	name := server.Database(t)
	for _, c := range []struct {
		sentence      string
		service, role string
		plain, ready  bool
	}{
		{"a service opens its own role", "orderservice", "orders", false, true},
		{"a service does not open the role of another", "orderservice", "payments", false, false},
		{"a certificate of a service that has no role opens none", "loadgen", "users", false, false},
		{"plaintext opens nothing", "userservice", "users", true, false},
		{"a service does not open the owner's role", "userservice", "postgres", false, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			cfg := server.Config(t, name, c.service, c.role)
			if c.plain {
				cfg.TLS = nil
			}
			db, err := postgres.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			err = db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
			if (err == nil) != c.ready {
				t.Errorf("got %v", err)
			}
			if code, _ := reason(err); !c.ready && code != codes.Unavailable {
				t.Errorf("the caller's code is %s", code)
			}
		})
	}
}

// TestExec_RepeatsAfterAConflict: a sequence counts the attempts, because rolling back does not reset it.
func TestExec_RepeatsAfterAConflict(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "userservice", "users")
	cfg.Migrations = migrations
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "ready", db.Ready)
	for _, c := range []struct {
		sqlstate           string
		failures, attempts int
		want               codes.Code
	}{
		{"40001", 2, 3, codes.OK},
		{"40P01", 2, 3, codes.OK},
		{"40001", 99, 4, codes.Aborted},
		{"22012", 1, 1, codes.Internal},
	} {
		statement := fmt.Sprintf("DO $$ BEGIN IF nextval('attempts') <= %d THEN RAISE EXCEPTION SQLSTATE '%s'; END IF; END $$", c.failures, c.sqlstate)
		for name, exec := range map[string]func() error{
			"Exec": func() error { return db.Exec(t.Context(), statement) },
			"Tx": func() error {
				return db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
					_, err := tx.Exec(ctx, statement)
					return err
				})
			},
		} {
			if err := db.Exec(t.Context(), "CREATE SEQUENCE attempts"); err != nil {
				t.Fatal(err)
			}
			code, _ := reason(exec())
			var attempts int
			err := db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
				return conn.QueryRow(ctx, "SELECT last_value FROM attempts").Scan(&attempts)
			})
			if err != nil || code != c.want || attempts != c.attempts {
				t.Errorf("%s, %s: %s after %d attempts, want %s after %d; %v", name, c.sqlstate, code, attempts, c.want, c.attempts, err)
			}
			if err := db.Exec(t.Context(), "DROP SEQUENCE attempts"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestConn_OtherSchemaIsDenied(t *testing.T) {
	server := pgtest.Shared(t)
	name := server.Database(t)
	cfg := server.Config(t, name, "userservice", "users")
	cfg.Migrations = migrations
	pgtest.Eventually(t, "ready", pgtest.Open(t, cfg).Ready)
	other := pgtest.Open(t, server.Config(t, name, "orderservice", "orders"))
	err := other.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SELECT * FROM users.notes")
		return err
	})
	if code, _ := reason(err); err == nil || code != codes.Internal {
		t.Errorf("reading another service's schema: got %v", err)
	}
}

func TestConn_PoolFull(t *testing.T) {
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "userservice", "users")
	// The two calls below have to connect within this time.
	cfg.MaxConns, cfg.Acquire = 2, time.Second
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "ready", db.Ready)
	release := make(chan struct{})
	var holding, held sync.WaitGroup
	for range 2 {
		holding.Add(1)
		held.Go(func() {
			has := sync.OnceFunc(holding.Done)
			// In case no connection was acquired.
			defer has()
			err := db.Conn(context.Background(), func(context.Context, *pgx.Conn) error {
				has()
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	holding.Wait()
	start := time.Now()
	code, why := reason(db.Conn(t.Context(), func(context.Context, *pgx.Conn) error { return nil }))
	if code != codes.ResourceExhausted || why != postgres.ReasonPoolFull || time.Since(start) > cfg.Work/2 {
		t.Errorf("got %s %s after %s", code, why, time.Since(start))
	}
	if !db.Ready() {
		t.Error("a full pool made the database unready")
	}
	close(release)
	held.Wait()
	if err := db.Conn(t.Context(), func(context.Context, *pgx.Conn) error { return errOurs }); !errors.Is(err, errOurs) {
		t.Errorf("after the pool was freed: got %v", err)
	}
}

func TestConn_SilentServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	db := pgtest.Open(t, postgres.Config{Addr: silent.Addr().String(), Database: "shop", Role: "users", Acquire: 100 * time.Millisecond, Connect: 200 * time.Millisecond})
	start := time.Now()
	code, why := reason(db.Conn(t.Context(), func(context.Context, *pgx.Conn) error { return nil }))
	if code != codes.Unavailable || why != postgres.ReasonAway || time.Since(start) > 2*time.Second {
		t.Errorf("got %s %s after %s", code, why, time.Since(start))
	}
}

func TestConn_QueriesAreTraced(t *testing.T) {
	server := pgtest.Shared(t)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	cfg := server.Config(t, server.Database(t), "userservice", "users")
	cfg.Tracing, cfg.Migrations = provider, migrations
	db := pgtest.Open(t, cfg)
	pgtest.Eventually(t, "ready", db.Ready)
	if n := len(spans.Ended()); n != 0 {
		t.Errorf("background work made %d spans, want 0", n)
	}
	ctx, parent := provider.Tracer("test").Start(t.Context(), "call")
	if err := insert(ctx, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	parent.End()
	var names []string
	for _, s := range spans.Ended() {
		if s.SpanContext().TraceID() != parent.SpanContext().TraceID() {
			t.Errorf("%s is outside the trace", s.Name())
		}
		names = append(names, s.Name())
	}
	for _, want := range []string{"pool.acquire", "BEGIN", "INSERT", "COMMIT"} {
		if !slices.Contains(names, want) {
			t.Errorf("no span %s among %q", want, names)
		}
	}
}
