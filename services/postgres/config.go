package postgres

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Config describes the database of one service. Addr, Database and Role are required; the zero value of every other field selects the default
// in its comment.
type Config struct {
	// Addr is a host and a port. The server's certificate must be valid for the host.
	Addr string
	// Database is the name of the database.
	Database string
	// Role is the database role, which the client certificate must map to.
	Role string
	// TLS configures the connection; nil means plaintext.
	TLS *tls.Config
	// Migrations has the migration files of goose at its root; nil means none.
	Migrations fs.FS
	// MaxConns is the size of the connection pool. Default: 6.
	MaxConns int32
	// Acquire is how long a call waits for a free connection. Default: 500ms.
	Acquire time.Duration
	// Connect is how long opening a connection may take. Default: 2s.
	Connect time.Duration
	// Work is how long a transaction may take, all of its statements together. Default: 3s.
	Work time.Duration
	// Every is the interval at which Run pings the database. Default: 1s.
	Every time.Duration
	// Needed makes the program's readiness follow the database.
	Needed bool
	// OnReady is called, always from the same goroutine, when the database becomes reachable or unreachable. It may be nil.
	OnReady func(bool)
	// Tracing receives a span for each query; nil means none.
	Tracing trace.TracerProvider
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	orDefault(&c.MaxConns, 6)
	orDefault(&c.Acquire, 500*time.Millisecond)
	orDefault(&c.Connect, 2*time.Second)
	orDefault(&c.Work, 3*time.Second)
	orDefault(&c.Every, time.Second)
	if c.OnReady == nil {
		c.OnReady = func(bool) {}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// ConfigFromEnv reads DATABASE_ADDR, DATABASE_NAME, DATABASE_MAX_CONNS and DATABASE_ACQUIRE_TIMEOUT.
func ConfigFromEnv(role string, getenv func(string) string) (Config, error) {
	text := func(key, fallback string) string {
		if v := getenv(key); v != "" {
			return v
		}
		return fallback
	}
	cfg := Config{Addr: text("DATABASE_ADDR", "postgres.shop.svc:5432"), Database: text("DATABASE_NAME", "shop"), Role: role}
	if _, _, err := net.SplitHostPort(cfg.Addr); err != nil {
		return Config{}, remedy.Errorf(remedy.Value("postgres.shop.svc:5432"), "reading DATABASE_ADDR: %w", err)
	}
	conns, err := strconv.ParseInt(text("DATABASE_MAX_CONNS", "6"), 10, 32)
	if err != nil || conns < 1 {
		return Config{}, remedy.Errorf(remedy.Value("6"), "reading DATABASE_MAX_CONNS: %q is not a number of connections", getenv("DATABASE_MAX_CONNS"))
	}
	cfg.MaxConns = int32(conns)
	cfg.Acquire, err = time.ParseDuration(text("DATABASE_ACQUIRE_TIMEOUT", "500ms"))
	if err != nil || cfg.Acquire <= 0 {
		return Config{}, remedy.Errorf(remedy.Value("500ms"), "reading DATABASE_ACQUIRE_TIMEOUT: %q is not a duration", getenv("DATABASE_ACQUIRE_TIMEOUT"))
	}
	return cfg, nil
}

// conn is the configuration of one connection.
func (c Config) conn() (*pgx.ConnConfig, error) {
	// Every value that matters is set below, so the environment has no influence.
	cc, err := pgx.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("configuring the database connection: %w", err)
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("configuring the database connection: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("configuring the database connection: %w", err)
	}
	cc.Host, cc.Port, cc.Database, cc.User, cc.Password = host, uint16(number), c.Database, c.Role, ""
	cc.TLSConfig, cc.Fallbacks, cc.ConnectTimeout = c.TLS, nil, c.Connect
	cc.RuntimeParams["application_name"] = c.Role
	if c.Tracing != nil {
		cc.Tracer = newTracer(c.Tracing)
	}
	return cc, nil
}

func (c Config) pool() (*pgxpool.Config, error) {
	cc, err := c.conn()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("configuring the database pool: %w", err)
	}
	pool.ConnConfig, pool.MaxConns, pool.MinConns = cc, c.MaxConns, 1
	// A renewed certificate is used for new connections only, so old ones are closed regularly.
	pool.MaxConnLifetime, pool.MaxConnLifetimeJitter = 10*time.Minute, time.Minute
	pool.HealthCheckPeriod = c.Every * 5
	return pool, nil
}

// host returns the host of addr, which is the name that the server's certificate must carry.
func host(addr string) string {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return name
}
