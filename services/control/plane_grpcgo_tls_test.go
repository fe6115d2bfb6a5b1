package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	xdscreds "google.golang.org/grpc/credentials/xds"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"

	"github.com/grpc-sandbox/sandbox/services/control/identity"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// certificates returns a function that makes the folder of a certificate of a service account, all under one authority.
func certificates(t *testing.T) func(namespace, account string) string {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authority := signed(t, template, template, key, key)
	serial := int64(1)
	return func(namespace, account string) string {
		serial++
		own := newKey(t)
		id, err := url.Parse(identity.Of("test.local", namespace, account))
		if err != nil {
			t.Fatal(err)
		}
		leaf := signed(t, &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, URIs: []*url.URL{id}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, authority, own, key)
		private, err := x509.MarshalECPrivateKey(own)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: leaf.Raw}, "tls.key": {Type: "EC PRIVATE KEY", Bytes: private},
			"ca.crt": {Type: "CERTIFICATE", Bytes: authority.Raw}} {
			if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return folder
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// secureBootstrap returns the configuration of an xDS client with a certificate.
func secureBootstrap(t *testing.T, control, node, folder string) []byte {
	t.Helper()
	files := map[string]string{"certificate_file": filepath.Join(folder, "tls.crt"), "private_key_file": filepath.Join(folder, "tls.key"), "ca_certificate_file": filepath.Join(folder, "ca.crt")}
	text, err := json.Marshal(map[string]any{
		"xds_servers":           []any{map[string]any{"server_uri": control, "channel_creds": []any{map[string]any{"type": "tls", "config": files}}, "server_features": []string{"xds_v3"}}},
		"node":                  map[string]string{"id": node},
		"certificate_providers": map[string]any{"default": map[string]any{"plugin_name": "file_watcher", "config": files}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestGRPCGo_MutualTLS(t *testing.T) {
	folder := certificates(t)
	caller := make(chan string, 10)
	service := run(t, governance.Config{Service: "users", TLSDir: folder("shop", "users")}, func(_ context.Context, _ *governance.Process, s *grpc.Server) error {
		testv1.RegisterTestServiceServer(s, reporting{caller: caller})
		return nil
	})
	var plane *Plane
	control := run(t, governance.Config{Service: "control", TLSDir: folder("sandbox-system", "control")}, func(ctx context.Context, p *governance.Process, s *grpc.Server) error {
		plane = Register(ctx, p, s, Config{})
		return nil
	})
	host, port, err := net.SplitHostPort(service.address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	users := podNamed("users-1")
	users.IP, users.Port = host, uint32(number)
	client := callerPod()
	client.Account = "caller"
	plane.Store.SetPod(users)
	plane.Store.SetPod(client)

	call := func(account string) error {
		resolver, err := xds.NewXDSResolverWithConfigForTesting(secureBootstrap(t, control.address, "shop/caller-1", folder("shop", account)))
		if err != nil {
			t.Fatal(err)
		}
		creds, err := xdscreds.NewClientCredentials(xdscreds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := grpc.NewClient("xds:///users", grpc.WithResolvers(resolver), grpc.WithTransportCredentials(creds))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = testv1.NewTestServiceClient(conn).UnaryCall(ctx, &testv1.SimpleRequest{})
		return err
	}
	if err := call("caller"); err != nil {
		t.Fatal(err)
	}
	if got, want := <-caller, identity.Of("test.local", "shop", "caller"); got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
	// The control plane knows a client by its certificate, not by the id of its node.
	if err := call("other"); status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Unavailable {
		t.Errorf("a client of another account: %v", err)
	}
	// The client calls only pods whose certificates have the identity of the service.
	users.Account = "somebody"
	plane.Store.SetPod(users)
	if err := call("caller"); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "SAN") {
		t.Errorf("a server with another identity: %v", err)
	}
}

// reporting answers, and reports who called.
type reporting struct {
	testv1.UnimplementedTestServiceServer
	caller chan<- string
}

func (r reporting) UnaryCall(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	r.caller <- governance.Caller(ctx)
	return &testv1.SimpleResponse{}, nil
}
