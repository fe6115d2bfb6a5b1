package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// migrationError is a migration that the database refused: trying again would not help.
type migrationError struct{ err error }

func (e *migrationError) Error() string { return "migrating the database: " + e.err.Error() }
func (e *migrationError) Unwrap() error { return e.err }

const migrationLimit = time.Minute

// migrate runs what is missing. Replicas take turns by an advisory lock of the role.
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
	if refused := new(pgconn.PgError); errors.As(err, &refused) && refused.Code != queryCanceled && !transient(refused) {
		return &migrationError{err}
	}
	return err
}

func lockID(role string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte("sandbox migrations of " + role)) // a hash never fails
	return int64(h.Sum32())
}
