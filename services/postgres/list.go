package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// listPage is how many rows List reads per query.
const listPage = 500

// beyond sorts after every id. The database compares text byte by byte, because its locale is C.
const beyond = "\U0010FFFF"

// Collect runs one query and returns its rows, each converted by scan.
func Collect[T any](ctx context.Context, db *DB, scan pgx.RowToFunc[T], sql string, args ...any) (all []T, err error) {
	err = db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, err
}

// List streams the rows of a table in the order of their ids. It reads page by page and keeps neither a lock nor a connection between two
// pages, so a slow receiver does not block anyone else. The rows of different pages are therefore read at different moments.
type List[T any] struct {
	DB *DB
	// Query selects the rows with $1 < id <= $2, ordered by id, at most $3 of them.
	Query string
	// Scan converts one row.
	Scan pgx.RowToFunc[T]
	// ID returns the id of a converted row.
	ID func(T) string
}

// Send passes every row with after < id <= until to send. An empty until means the end of the table. An error of the database is returned
// as Status converts it, an error of send as it is.
func (l List[T]) Send(ctx context.Context, after, until string, send func(T) error) error {
	if until == "" {
		until = beyond
	}
	for {
		page, err := Collect(ctx, l.DB, l.Scan, l.Query, after, until, listPage)
		if err != nil {
			return Status(err)
		}
		for _, row := range page {
			if err := send(row); err != nil {
				return err
			}
			after = l.ID(row)
		}
		if len(page) < listPage {
			return nil
		}
	}
}
