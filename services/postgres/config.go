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

// Config describes the database of one service. Addr, Database and Role are required; the zero value of the others means what stands
// beside them.
type Config struct {
	Addr       string // host:port
	Database   string
	Role       string               // the client certificate must map to it
	TLS        *tls.Config          // plaintext when nil
	Migrations fs.FS                // files of goose at its root; none when nil
	MaxConns   int32                // 6
	Acquire    time.Duration        // 500ms: how long a call waits for a free connection
	Connect    time.Duration        // 2s: how long a new connection may take
	Work       time.Duration        // 3s: how long a transaction may take, all of its statements
	Every      time.Duration        // 1s: how often the database is asked whether it is there
	Needed     bool                 // Run lets the program's readiness follow the database
	OnReady    func(bool)           // told whenever that changes, from one goroutine; may be nil
	Tracing    trace.TracerProvider // no spans when nil
	Log        *slog.Logger         // slog.Default()
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
	cc, err := pgx.ParseConfig("") // takes defaults; all that matters is set below
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
	// A renewed certificate takes effect on new connections only.
	pool.MaxConnLifetime, pool.MaxConnLifetimeJitter = 10*time.Minute, time.Minute
	pool.HealthCheckPeriod = c.Every * 5
	return pool, nil
}

// host is the name that the server's certificate must carry.
func host(addr string) string {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return name
}
