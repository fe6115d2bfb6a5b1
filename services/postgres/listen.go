package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

const (
	listenRetry = 200 * time.Millisecond
	// listenQuiet is how long a connection may be silent before it is pinged.
	listenQuiet = 5 * time.Second
)

// Listen calls notify with the payload of each notification on channel, until ctx ends. It uses a connection of its own, and reconnects when
// that breaks. After each (re)connection it calls notify with an empty payload, because notifications may have been missed.
func (db *DB) Listen(ctx context.Context, channel string, notify func(payload string)) error {
	for ctx.Err() == nil {
		if err := db.listenOnce(ctx, channel, notify); err != nil && ctx.Err() == nil {
			db.cfg.Log.Debug("listening to the database", "channel", channel, "error", err)
		}
		_ = pause.For(ctx, listenRetry)
	}
	return nil
}

func (db *DB) listenOnce(ctx context.Context, channel string, notify func(string)) error {
	cc, err := db.cfg.conn()
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// The connection may be broken already.
		_ = conn.Close(last)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listening on %s: %w", channel, err)
	}
	notify("")
	for {
		quiet, cancel := context.WithTimeout(ctx, listenQuiet)
		n, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil:
			notify(n.Payload)
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			if err := ping(ctx, conn); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, listenQuiet)
	defer cancel()
	return conn.Ping(ctx)
}
