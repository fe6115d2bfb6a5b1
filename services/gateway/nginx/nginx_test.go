package nginx

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx/nginxtest"
)

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (p pair) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

func (p pair) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (p pair) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var lastSerial int64

// issue signs a certificate; without an issuer it is an authority.
func issue(t *testing.T, issuer *pair, name string, edits ...func(*x509.Certificate)) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	lastSerial++
	template := &x509.Certificate{SerialNumber: big.NewInt(lastSerial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	made := &pair{key: key}
	if issuer == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		issuer = &pair{template, key}
	} else {
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	for _, edit := range edits {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	must(t, err)
	made.cert, err = x509.ParseCertificate(der)
	must(t, err)
	return made
}

// world is a gateway with one service behind it.
type world struct {
	t                  *testing.T
	folder, address    string
	partnersCA, meshCA *pair
	backend            *backend
	server             *Server
	config             Config
	revoked            []x509.RevocationListEntry
	log                *bytes.Buffer
	crlNumber          int64
	accessLog          chan string
	restSeen           chan http.Header
	// rest answers what is not gRPC.
	rest http.Handler
}

func (w *world) file(name string, data []byte) string {
	w.t.Helper()
	path := filepath.Join(w.folder, name)
	must(w.t, os.WriteFile(path, data, 0o600))
	return path
}

// revocations writes the list of revocations.
func (w *world) revocations(edits ...func(*x509.RevocationList)) string {
	w.t.Helper()
	w.crlNumber++
	list := &x509.RevocationList{Number: big.NewInt(w.crlNumber), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour), RevokedCertificateEntries: w.revoked}
	for _, edit := range edits {
		edit(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, w.partnersCA.cert, w.partnersCA.key)
	must(w.t, err)
	return w.file("ca.crl", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// newWorld starts nginx before a service.
func newWorld(t *testing.T, edits ...func(*world)) *world {
	t.Helper()
	program := nginxtest.Program(t)
	// The path of a Unix socket has at most 107 bytes.
	folder, err := os.MkdirTemp("", "gateway")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	// As root, nginx runs its workers as another user.
	must(t, os.Chmod(folder, 0o755)) //nolint:gosec // for the sockets
	w := &world{t: t, folder: folder, address: freeAddress(t), partnersCA: issue(t, nil, "partners"), meshCA: issue(t, nil, "mesh"), log: &bytes.Buffer{},
		accessLog: make(chan string, 10000), restSeen: make(chan http.Header, 1000), rest: http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("X-Grpc-Status", "0")
			_, _ = out.Write([]byte(`{}`))
		})}
	for _, edit := range edits {
		edit(w)
	}
	w.backend = startBackend(t, w.meshCA)
	gateway := issue(t, w.meshCA, "gateway", func(c *x509.Certificate) { c.DNSNames = []string{"gateway"} })
	w.startAgent()
	w.config = Config{
		Listen: w.address, Folder: folder, Certificate: w.file("tls.crt", gateway.pem()), Key: w.file("tls.key", gateway.keyPEM(t)),
		Services: w.file("mesh.crt", w.meshCA.pem()), Authorities: w.file("ca.crt", w.partnersCA.pem()), Revocations: w.revocations(),
		Agent: filepath.Join(folder, "agent.sock"), AccessLog: w.startAccessLog(),
		Upstreams: []Upstream{{Name: "testservice", ServerName: "testservice", Addresses: []string{w.backend.address}, Methods: []Method{
			{Name: "grpc.testing.TestService/UnaryCall"}, {Name: "grpc.testing.TestService/EmptyCall"}, {Name: "grpc.testing.TestService/FullDuplexCall", Stream: true}}}},
		Routes: []Route{{Verb: "GET", Pattern: "/v1/things/[^/]+", Method: "grpc.testing.TestService/EmptyCall"}},
	}
	w.server = New(program, folder, slog.New(slog.NewTextHandler(w.log, nil)))
	_, err = w.server.Apply(t.Context(), w.config)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := w.server.Stop(ctx); err != nil {
			t.Error("stopping nginx:", err)
		}
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	return w
}

// startAgent serves what is not gRPC.
func (w *world) startAgent() {
	w.t.Helper()
	l, err := net.Listen("unix", filepath.Join(w.folder, "agent.sock"))
	must(w.t, err)
	must(w.t, os.Chmod(filepath.Join(w.folder, "agent.sock"), 0o777)) //nolint:gosec // for the workers
	s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.restSeen <- r.Header
		w.rest.ServeHTTP(out, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	w.t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// startAccessLog receives the access log, and returns where.
func (w *world) startAccessLog() (address string) {
	w.t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(w.t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			w.accessLog <- string(buf[:n])
		}
	}()
	w.t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

// client returns the TLS configuration of a client with a certificate, which may be nil.
func (w *world) client(certificate *pair) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(w.meshCA.cert)
	cfg := &tls.Config{RootCAs: roots, ServerName: "gateway", MinVersion: tls.VersionTLS12}
	if certificate != nil {
		cfg.Certificates = []tls.Certificate{certificate.tls()}
	}
	return cfg
}

// dial returns a gRPC client of the gateway.
func (w *world) dial(certificate *pair) testv1.TestServiceClient {
	w.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+w.address, grpc.WithTransportCredentials(credentials.NewTLS(w.client(certificate))))
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return testv1.NewTestServiceClient(conn)
}

// partner returns the certificate of a partner.
func (w *world) partner(name string, edits ...func(*x509.Certificate)) *pair {
	w.t.Helper()
	return issue(w.t, w.partnersCA, name, edits...)
}

// line returns the next line of the access log.
func (w *world) line() string {
	w.t.Helper()
	select {
	case line := <-w.accessLog:
		return line
	case <-time.After(5 * time.Second):
		w.t.Fatal("no line in the access log")
		return ""
	}
}

// eventually waits until a condition is true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := pause.Until(ctx, 5*time.Millisecond, func(context.Context) (bool, error) { return condition(), nil }); err != nil {
		t.Fatal("not within 10s: ", what)
	}
}
