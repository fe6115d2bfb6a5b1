package postgres

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// Run is governance.Run for a program that keeps state: the database follows the program's certificate, log and traces, and is closed
// after the drain, when no call needs it any more.
func Run(ctx context.Context, w io.Writer, cfg governance.Config, database Config, register func(*governance.Process, *grpc.Server, *DB) error) error {
	var db *DB
	defer func() {
		if db != nil {
			db.Close()
		}
	}()
	return governance.Run(ctx, w, cfg, func(p *governance.Process, s *grpc.Server) error {
		if p.Identity != nil {
			database.TLS = p.Identity.ClientTLS(host(database.Addr))
		}
		database.Log, database.Tracing = p.Log, p.Tracing
		if database.Needed {
			p.SetReady(false)
			database.OnReady = p.SetReady
		}
		var err error
		if db, err = Open(database); err != nil {
			return err
		}
		p.Go(db.Run)
		return register(p, s, db)
	})
}
