package postgres

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// Program is a service that keeps state, for its main.
type Program struct {
	Service    string // its name
	Role       string // at the database
	Migrations fs.FS  // files of goose at its root
	Needed     bool   // its readiness follows the database
	Register   func(*governance.Process, *grpc.Server, *DB) error
}

// Main runs the program as its environment says until ctx ends. It returns the exit code, and says on stderr what stopped it.
func (p Program) Main(ctx context.Context, stderr io.Writer, getenv func(string) string) int {
	if err := p.run(ctx, stderr, getenv); err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", p.Service, remedy.Line(err, nil))
		return 1
	}
	return 0
}

func (p Program) run(ctx context.Context, stderr io.Writer, getenv func(string) string) error {
	cfg, err := governance.ConfigFromEnv(p.Service, getenv)
	if err != nil {
		return err
	}
	database, err := ConfigFromEnv(p.Role, getenv)
	if err != nil {
		return err
	}
	database.Migrations, database.Needed = p.Migrations, p.Needed
	return Run(ctx, stderr, cfg, database, p.Register)
}

// Run is governance.Run for a program that keeps state: the database follows the program's certificate, log and traces, and is closed
// after the drain, when no call needs it any more. Text that the database cannot store is refused before a handler sees it.
func Run(ctx context.Context, w io.Writer, cfg governance.Config, database Config, register func(*governance.Process, *grpc.Server, *DB) error) error {
	var db *DB
	defer func() {
		if db != nil {
			db.Close()
		}
	}()
	cfg.Options = append(slices.Clone(cfg.Options), validation.ServerOptions()...)
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
