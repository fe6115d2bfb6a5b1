package pgtest

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/postgres"
)

// Program is a running service.
type Program struct {
	Address string
	Conn    *grpc.ClientConn
	Stop    func() // tells it to stop and waits
}

// Serve runs a service on its database, in plaintext, until Stop, and ends with the test at the latest.
func Serve(t testing.TB, name string, database postgres.Config, register func(*governance.Process, *grpc.Server, *postgres.DB) error) Program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan governance.Addresses, 1), make(chan struct{})
	cfg := governance.Config{Service: name, Pod: name, ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
		TLSDir: "off", TraceRatio: 1, DrainLimit: time.Second, Ready: func(a governance.Addresses) { ready <- a }}
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
	case a := <-ready:
		p.Address = a.Service
	case <-ended:
		t.Fatal(name, "did not begin")
	}
	conn, err := grpc.NewClient(p.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p.Conn = conn
	return p
}

// Eventually waits for something another goroutine will do.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // a test's own wait
	}
	t.Fatal("never came true:", what)
}
