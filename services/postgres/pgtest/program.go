package pgtest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// Program is a running service.
type Program struct {
	// Address is where the service listens. Conn is a connection to it in plaintext.
	Address string
	Conn    *grpc.ClientConn
	// Stop ends the service and waits for it.
	Stop func()
}

// Serve runs a service on its database, without TLS, until Stop or the end of the test.
func Serve(t testing.TB, name string, database postgres.Config, register func(*governance.Process, *grpc.Server, *postgres.DB) error) Program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan governance.Addresses, 1), make(chan struct{})
	cfg := governance.Config{Service: name, Pod: name, ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
		TLSDir: "off", TraceRatio: 1, DrainDelay: governance.Off, DrainLimit: time.Second, Ready: func(a governance.Addresses) { ready <- a }}
	go func() {
		defer close(ended)
		if err := postgres.Run(ctx, io.Discard, cfg, database, register); err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	}()
	var p Program
	p.Stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(p.Stop)
	select {
	// Address is where the service listens.
	case a := <-ready:
		p.Address = a.Service
	case <-ended:
		t.Fatal(name, "did not start")
	}
	conn, err := grpc.NewClient(p.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p.Conn = conn
	return p
}

// RefusesBadEnvironment fails the test unless the program exits with one line that names the variable, for each invalid value in env and
// for the two that every program has.
func RefusesBadEnvironment(t *testing.T, service string, program func(func(string) string) (postgres.Program, error), env map[string]string) {
	t.Helper()
	all := map[string]string{"DRAIN_DELAY": "3", "DATABASE_ADDR": "x"}
	maps.Copy(all, env)
	for key, value := range all {
		getenv := func(k string) string {
			if k == key {
				return value
			}
			return ""
		}
		var stderr bytes.Buffer
		if code := postgres.Main(program, &stderr, getenv); code != 1 {
			t.Errorf("%s=%s: exit code %d, want 1", key, value, code)
		}
		if got := stderr.String(); !strings.HasPrefix(got, service+": reading "+key) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s=%s: stderr is %q, want one line that names the variable", key, value, got)
		}
	}
}

// Eventually waits until holds returns true, and fails the test after a minute. what describes the condition.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !poll(ctx, 10*time.Millisecond, holds) {
		t.Fatal("not within a minute:", what)
	}
}

// Succeeds calls do until it returns no error, and fails the test with the last error after a minute. what describes the condition. The
// context of a call ends after five seconds, so one call that is never answered does not hide what the next one would tell.
func Succeeds(t testing.TB, what string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var last error
	attempts := 0
	if !poll(ctx, 10*time.Millisecond, func() bool {
		attempts++
		call, done := context.WithTimeout(ctx, 5*time.Second)
		defer done()
		last = do(call)
		return last == nil
	}) {
		t.Fatalf("not within a minute: %s; the last of %d attempts: %v", what, attempts, last)
	}
}
