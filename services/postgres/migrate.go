package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// migrationError is a migration that PostgreSQL rejected. Retrying does not help.
type migrationError struct{ err error }

func (e *migrationError) Error() string { return "migrating the database: " + e.err.Error() }
func (e *migrationError) Unwrap() error { return e.err }

const migrationLimit = time.Minute

// Migrations returns the files in the folder "migrations" of embedded, for Config.Migrations.
func Migrations(embedded embed.FS) fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		// fs.Sub refuses malformed paths only.
		panic(err)
	}
	return sub
}

// migrate applies the missing migrations. Replicas take turns with an advisory lock per role.
func (db *DB) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrationLimit)
	defer cancel()
	sql := stdlib.OpenDBFromPool(db.pool)
	defer sql.Close()
	if err := sql.PingContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID(db.cfg.Role)), lock.WithLockTimeout(1, 60))
	if err != nil {
		return &migrationError{err}
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, sql, db.cfg.Migrations, goose.WithSessionLocker(locker))
	if err != nil {
		return &migrationError{err}
	}
	done, err := provider.Up(ctx)
	for _, r := range done {
		db.cfg.Log.Info("migrated", "version", r.Source.Version, "took", r.Duration.String())
	}
	if isReadOnly(err) {
		// The next attempt opens new connections, which may lead to another server.
		db.pool.Reset()
	}
	if refused := new(pgconn.PgError); errors.As(err, &refused) && refused.Code != queryCanceled && !isTransient(refused) {
		return &migrationError{err}
	}
	return err
}

func lockID(role string) int64 {
	h := fnv.New32a()
	// Writing to a hash never fails.
	_, _ = h.Write([]byte("sandbox migrations of " + role))
	return int64(h.Sum32())
}
