package loadgen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestStartLoad_ThroughTheGateway(t *testing.T) {
	var opened *grpc.ClientConn
	s := &Server{loads: newLoads(prometheus.NewRegistry()), events: governance.NewEvents(0), through: func(g *loadgenv1.Gateway) (*grpc.ClientConn, error) {
		var err error
		opened, err = grpc.NewClient("passthrough:///"+g.GetAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		return opened, err
	}}
	start := func(method string) error {
		_, err := s.StartLoad(t.Context(), &loadgenv1.StartLoadRequest{Name: "l", Target: "is not in TARGETS", Method: method, Gateway: &loadgenv1.Gateway{Address: "127.0.0.1:1"}})
		return err
	}
	// A load that does not start leaves no connection.
	if err := start("no.Such/Method"); status.Code(err) != codes.InvalidArgument || opened.GetState() != connectivity.Shutdown {
		t.Errorf("a load that does not start: %v, connection %s", err, opened.GetState())
	}
	if err := start("user.v1.UserService/GetUser"); err != nil {
		t.Fatal(err)
	}
	if got := opened.GetState(); got == connectivity.Shutdown {
		t.Error("the connection of a running load is closed")
	}
	if _, err := s.StopLoad(t.Context(), &loadgenv1.StopLoadRequest{Name: "l"}); err != nil {
		t.Fatal(err)
	}
	if got := opened.GetState(); got != connectivity.Shutdown {
		t.Errorf("the connection of a stopped load is %s", got)
	}
}

func TestThroughGateway_BadCertificates(t *testing.T) {
	p, err := governance.Start(t.Context(), t.Output(), governance.Config{Service: "loadgen", TLSDir: "off"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if _, err := throughGateway(p, &loadgenv1.Gateway{Address: "gateway:8443"}); err == nil || !strings.Contains(err.Error(), "certificate of the partner") {
		t.Errorf("got %v", err)
	}
}

// certificateFor returns a self-signed certificate of a host and its key, in PEM.
func certificateFor(t *testing.T, host string) (certificate, key []byte) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// TestThroughGateway_RefusedCallsKeepTheirCode: a gateway refuses every call of a partner that was revoked, those to the health service included.
func TestThroughGateway_RefusedCallsKeepTheirCode(t *testing.T) {
	certificate, key := certificateFor(t, "localhost")
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&pair)), grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return status.Error(codes.Unauthenticated, "the certificate was revoked")
	}))
	served := make(chan error, 1)
	go func() { served <- refusing.Serve(l) }()
	defer func() {
		refusing.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	p, err := governance.Start(t.Context(), t.Output(), governance.Config{Service: "loadgen", TLSDir: "off"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	conn, err := throughGateway(p, &loadgenv1.Gateway{Address: "localhost:" + port, CertificatePem: certificate, KeyPem: key, RootsPem: certificate})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for range 3 {
		if _, err := userv1.NewUserServiceClient(conn).GetUser(t.Context(), &userv1.GetUserRequest{UserId: "u-1"}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("got %v", err)
		}
	}
}
