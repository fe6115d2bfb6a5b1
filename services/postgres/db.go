package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is the database of one service. It may be away at any time, from the beginning too: calls then fail soon, with an error that Status
// turns into UNAVAILABLE, and work again once it is back.
type DB struct {
	cfg      Config
	pool     *pgxpool.Pool
	migrated atomic.Bool
	ready    atomic.Bool
}

var (
	errAway     = errors.New("the database is away")
	errPoolFull = errors.New("every connection to the database is in use")
)

// Open does not wait for the database. Run it, and Close it when no call is in flight any more.
func Open(cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	pc, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), pc) // its context ends only what it does by itself, not the pool
	if err != nil {
		return nil, fmt.Errorf("making the database pool: %w", err)
	}
	db := &DB{cfg: cfg, pool: pool}
	db.migrated.Store(cfg.Migrations == nil)
	return db, nil
}

// Close waits for connections in use.
func (db *DB) Close() { db.pool.Close() }

// Ready says whether the database was there, with every migration, when last asked.
func (db *DB) Ready() bool { return db.ready.Load() }

// Run migrates as soon as the database is there, then asks for it again and again, until ctx ends. What cannot be migrated stops it.
func (db *DB) Run(ctx context.Context) error {
	ticker := time.NewTicker(db.cfg.Every)
	defer ticker.Stop()
	for {
		err := db.check(ctx)
		if ctx.Err() != nil {
			return nil // told to stop
		}
		if fatal := new(migrationError); errors.As(err, &fatal) {
			return err
		}
		db.report(err)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (db *DB) check(ctx context.Context) error {
	if !db.migrated.Load() {
		if err := db.migrate(ctx); err != nil {
			return err
		}
		db.migrated.Store(true)
	}
	err := db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
	if errors.Is(err, errPoolFull) {
		return nil // busy is not away
	}
	return err
}

func (db *DB) report(err error) {
	is := err == nil
	if db.ready.Swap(is) == is {
		return
	}
	if is {
		db.cfg.Log.Info("the database is there", "address", db.cfg.Addr)
	} else {
		db.cfg.Log.Warn("the database is away", "address", db.cfg.Addr, "error", err)
	}
	db.cfg.OnReady(is)
}

// Conn lends a connection to do.
func (db *DB) Conn(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	work, cancel := context.WithTimeout(ctx, db.cfg.Work)
	defer cancel()
	conn, err := db.acquire(work)
	if err == nil {
		defer conn.Release()
		if err = do(work, conn.Conn()); failedOver(err) {
			_ = conn.Conn().Close(work) // the pool makes a new one
		}
	}
	return whose(ctx, err)
}

// Tx runs do in a transaction, again when it lost against another one: do must set whatever it returns anew. When the connection breaks
// during the commit nobody knows whether it was made, so what must not happen twice needs a key.
func (db *DB) Tx(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	const attempts = 4
	var err error
	for range attempts {
		err = db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return do(ctx, tx) })
		})
		if !lost(err) {
			break
		}
	}
	return err
}

// acquire waits a bounded time; an error says whether the pool was full or the database away.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if !db.migrated.Load() {
		return nil, errAway
	}
	wait, cancel := context.WithTimeout(ctx, db.cfg.Acquire)
	defer cancel()
	conn, err := db.pool.Acquire(wait)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() == nil && wait.Err() != nil && db.pool.Stat().AcquiredConns() == db.cfg.MaxConns {
		return nil, errPoolFull
	}
	return nil, fmt.Errorf("%w: %w", errAway, err)
}

// whose tells a limit of ours, which speaks against the database, from the caller's own.
func whose(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errAway) {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return err
}
