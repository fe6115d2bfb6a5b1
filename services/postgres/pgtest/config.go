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

// ServerName is the name in the server's certificate.
const ServerName = "postgres.shop.svc"

// Database copies the database that the chart's script makes, with every role and schema, and who may connect.
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

// Config is that of a service whose certificate maps to role.
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
		Acquire: 10 * time.Second, Connect: 10 * time.Second, Work: 20 * time.Second, // a machine that is busy is not what most tests are about
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, ServerName: ServerName, RootCAs: s.ca.pool(), Certificates: []tls.Certificate{pair}},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// Open runs a database until the test ends.
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
			t.Error("the database's work ended with", err)
		}
		db.Close()
	})
	return db
}

// Addr is where it listens.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// TLSFolder makes a folder with the certificate of a service, as a Secret is mounted.
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
