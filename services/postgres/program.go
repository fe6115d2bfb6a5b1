package postgres

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// Program describes a service that keeps its state in PostgreSQL.
type Program struct {
	// Service is the name of the service.
	Service string
	// Role is the role, and the schema, of the service in the database.
	Role string
	// Migrations has the migration files of goose at its root.
	Migrations fs.FS
	// Needed makes the service ready only while the database can be reached.
	Needed bool
	// Register adds the service to its server. The database may not be reachable yet.
	Register func(*governance.Process, *grpc.Server, *DB) error
}

// Main runs a program, configured by its environment, until the process receives SIGINT or SIGTERM. It returns the exit code of the
// process; an error that ended the program is printed to stderr in one line. A Program that is returned with an error needs its Service only.
func Main(program func(getenv func(string) string) (Program, error), stderr io.Writer, getenv func(string) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := program(getenv)
	if err == nil {
		err = p.run(ctx, stderr, getenv)
	}
	if err != nil {
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
	control, err := subscriber.ConfigFromEnv(getenv)
	if err != nil {
		return err
	}
	return Run(ctx, stderr, cfg, database, func(process *governance.Process, s *grpc.Server, db *DB) error {
		if err := subscriber.Start(process, control); err != nil {
			return err
		}
		return p.Register(process, s, db)
	})
}

// Run is governance.Run for a service with a database. The database uses the service's certificate, log and traces. It is closed after the
// drain, when no call needs it. Requests with text that PostgreSQL cannot store are rejected before they reach a handler.
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
