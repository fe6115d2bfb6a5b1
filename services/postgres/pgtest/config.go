package pgtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// ServerName is the DNS name in the server's certificate.
const ServerName = "postgres.shop.svc"

// Database makes a copy of the database that the chart's script initializes, with its roles, schemas and access rights, and returns its name.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	err := run(s.command(t.Context(), filepath.Join(s.bin, "psql"), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres",
		"-c", "CREATE DATABASE "+name+" TEMPLATE shop",
		"-c", "UPDATE pg_database SET datacl = (SELECT datacl FROM pg_database WHERE datname = 'shop') WHERE datname = '"+name+"'"))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Config returns the configuration of a service whose certificate maps to role.
func (s *Server) Config(t testing.TB, database, service, role string) postgres.Config {
	t.Helper()
	files, err := s.ca.issue(service, service+".shop.svc")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(files.cert, files.key)
	if err != nil {
		t.Fatal(err)
	}
	return postgres.Config{Addr: s.Addr(), Database: database, Role: role, Every: 50 * time.Millisecond,
		// Generous limits: most tests are not about a slow machine.
		Acquire: 10 * time.Second, Connect: 10 * time.Second, Work: 20 * time.Second,
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, ServerName: ServerName, RootCAs: s.ca.pool(), Certificates: []tls.Certificate{pair}},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// Open opens a database and runs it until the test ends.
func Open(t testing.TB, cfg postgres.Config) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- db.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("DB.Run failed:", err)
		}
		db.Close()
	})
	return db
}

// Addr returns the address on which the server listens.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// TLSFolder makes a folder with the certificate of a service, laid out like a mounted Secret.
func (s *Server) TLSFolder(t testing.TB, service string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tls")
	files, err := s.ca.issue(service, service+".shop.svc")
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		err = files.write(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
