package postgres_test

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// presented connects as a service and returns the serial number of the server's certificate. It fails if the server rejects the service.
func presented(t *testing.T, cfg postgres.Config) (serial string, err error) {
	t.Helper()
	conn := cfg.TLS.Clone()
	conn.InsecureSkipVerify = true //nolint:gosec // the test inspects the certificate itself
	conn.VerifyConnection = func(cs tls.ConnectionState) error {
		serial = cs.PeerCertificates[0].SerialNumber.String()
		return nil
	}
	cfg.TLS, cfg.MaxConns = conn, 1
	db, err := postgres.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Conn(t.Context(), func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
	return serial, err
}

func TestServer_KeepsTheLastGoodCertificate(t *testing.T) {
	server := pgtest.Start(t)
	cfg := server.Config(t, "shop", "userservice", "users")
	good, err := presented(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]pgtest.Defect{
		"expired":                        {ValidTo: -time.Hour},
		"not yet valid":                  {ValidFrom: time.Hour},
		"not issued under ca.crt":        {UntrustedRoot: true},
		"a key of another certificate":   {OtherKey: true},
		"an intermediate that is absent": {NoChain: true},
	} {
		t.Run(name, func(t *testing.T) {
			refusals := server.Refusals(t)
			server.Mount(t, bad)
			pgtest.Eventually(t, "the script rejects the certificate", func() bool { return server.Refusals(t) > refusals })
			if got, err := presented(t, cfg); got != good || err != nil {
				t.Errorf("the server presents %s, %v; want %s", got, err, good)
			}
			if err := server.Renew(); err != nil {
				t.Fatal(err)
			}
			before := good
			pgtest.Eventually(t, "a good certificate is presented", func() bool {
				good, err = presented(t, cfg)
				return err == nil && good != before
			})
		})
	}
}

func TestServer_FollowsChangedRoots(t *testing.T) {
	server := pgtest.Start(t)
	old := server.Config(t, "shop", "userservice", "users")
	server.AddRoot(t)
	// Its certificate is signed by the new root.
	next := server.Config(t, "shop", "userservice", "users")
	pgtest.Eventually(t, "clients of the new root are let in", func() bool { _, err := presented(t, next); return err == nil })
	if _, err := presented(t, old); err != nil {
		t.Errorf("a client of the old root, which is still trusted: %v", err)
	}
	if err := server.Renew(); err != nil {
		t.Fatal(err)
	}
	server.RemoveOldRoots(t)
	pgtest.Eventually(t, "clients of the old root are refused", func() bool { _, err := presented(t, old); return err != nil })
	if _, err := presented(t, next); err != nil {
		t.Errorf("a client of the new root: %v", err)
	}
}
