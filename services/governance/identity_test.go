package governance

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// unusable returns files that no peer would accept, given good files of an authority.
func unusable(t *testing.T, ca *authority, good identityFiles) []unusableFiles {
	t.Helper()
	other := newAuthority(t).issue(serverDNS)
	between := func(from, to time.Duration) identityFiles {
		a := *ca
		a.from, a.to = time.Now().Add(from), time.Now().Add(to)
		return a.issue(serverDNS)
	}
	chain := ca.intermediate().issue(serverDNS)
	leaf, _ := pem.Decode(chain.cert)
	return []unusableFiles{
		{"expired", between(-2*time.Hour, -time.Hour), "checking tls.crt: it expired at"},
		{"not yet valid", between(time.Hour, 2*time.Hour), "checking tls.crt: it is not valid before"},
		{"issued under another authority", identityFiles{other.cert, other.key, ca.pem}, "not issued under ca.crt"},
		{"without its intermediate", identityFiles{pem.EncodeToMemory(leaf), chain.key, chain.ca}, "not issued under ca.crt"},
		{"one of two authorities is unreadable", identityFiles{good.cert, good.key, append(slices.Clone(ca.pem),
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})...)}, "reading ca.crt"},
		{"the key belongs to another certificate", identityFiles{good.cert, other.key, good.ca}, "pairing tls.crt with tls.key"},
		{"the authority is not a certificate", identityFiles{good.cert, good.key, []byte("x")}, "reading ca.crt"},
		{"the certificate is truncated", identityFiles{good.cert[:40], good.key, good.ca}, "pairing tls.crt with tls.key"},
	}
}

type unusableFiles struct {
	name  string
	files identityFiles
	says  string
}

func TestNewIdentity_RefusesUnusableFiles(t *testing.T) {
	ca := newAuthority(t)
	for _, c := range unusable(t, ca, ca.issue(serverDNS)) {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			mount(t, dir, c.files)
			if _, err := NewIdentity(IdentityConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	if _, err := NewIdentity(IdentityConfig{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "tls.crt") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestReload_UnusableFilesNeverReplaceGoodOnes(t *testing.T) {
	ca := newAuthority(t)
	for _, c := range unusable(t, ca, ca.issue(serverDNS)) {
		t.Run(c.name, func(t *testing.T) {
			metrics := NewMetrics()
			id, dir := identity(t, ca.issue(serverDNS), metrics)
			good := id.current.Load()
			mount(t, dir, c.files)
			refused := id.reload([sha256.Size]byte{})
			if id.current.Load() != good {
				t.Error("the bad files are in use")
			}
			if id.reload(refused) != refused || metric(t, metrics, "sandbox_certificate_reload_errors_total") != 1 {
				t.Error("the same files were reported twice")
			}
			mount(t, dir, ca.issue(serverDNS))
			if id.reload(refused); id.current.Load() == good {
				t.Error("the good files after them are not in use")
			}
		})
	}
}

func TestReload_CertificateBecomesValid(t *testing.T) {
	ca := newAuthority(t)
	id, dir := identity(t, ca.issue(serverDNS), nil)
	good := id.current.Load()
	later := *ca
	later.from = time.Now().Add(10 * time.Minute)
	mount(t, dir, later.issue(serverDNS))
	refused := id.reload([sha256.Size]byte{})
	if id.current.Load() != good {
		t.Fatal("a certificate is in use before it is valid")
	}
	id.cfg.Now = func() time.Time { return later.from.Add(time.Second) }
	if id.reload(refused); id.current.Load() == good {
		t.Error("the certificate is valid but not in use")
	}
}

func TestIdentity_ReportsRootsAndCertificate(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	metrics := NewMetrics()
	id, dir := identity(t, first.intermediate().issue(serverDNS), metrics)
	reports := func(certificateRoot *authority, trusted ...*authority) {
		t.Helper()
		leaf := id.current.Load().pair.Leaf
		if n := metric(t, metrics, "sandbox_tls_certificate", "fingerprint", fingerprint(leaf), "root", fingerprint(certificateRoot.cert)); n != 1 {
			t.Errorf("the certificate in use has %v series", n)
		}
		for _, a := range trusted {
			if n := metric(t, metrics, "sandbox_tls_trusted_root", "fingerprint", fingerprint(a.cert)); n != 1 {
				t.Errorf("a trusted root has %v series", n)
			}
		}
		if n := len(allSeries(t, metrics, "sandbox_tls_certificate")) + len(allSeries(t, metrics, "sandbox_tls_trusted_root")); n != 1+len(trusted) {
			t.Errorf("%d series, want %d", n, 1+len(trusted))
		}
	}
	reports(first, first)
	// A root is replaced: first both are trusted, then the certificate is issued under the new one, then the old one is removed.
	with := func(f identityFiles, trusted ...*authority) identityFiles {
		f.ca = nil
		for _, a := range trusted {
			f.ca = append(f.ca, a.pem...)
		}
		return f
	}
	old := first.intermediate().issue(serverDNS)
	mount(t, dir, with(old, first, second))
	id.reload([sha256.Size]byte{})
	reports(first, first, second)
	next := second.intermediate().issue(serverDNS)
	mount(t, dir, with(next, first, second))
	id.reload([sha256.Size]byte{})
	reports(second, first, second)
	mount(t, dir, with(next, second))
	id.reload([sha256.Size]byte{})
	reports(second, second)
	// The order matters: a certificate whose root is not trusted is not used, and the previous roots stay too.
	mount(t, dir, with(first.intermediate().issue(serverDNS), second))
	id.reload([sha256.Size]byte{})
	reports(second, second)
}

func TestChain_IsPresentedByBothEnds(t *testing.T) {
	root := newAuthority(t)
	server, _ := identity(t, root.intermediate().issue(serverDNS), nil)
	client, _ := identity(t, root.intermediate().issue("loadgen.shop.svc"), nil)
	stub := wire(t, fake{}, ServerConfig{Identity: server}, ClientConfig{Identity: client, ServerName: serverDNS})
	if _, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Errorf("two intermediates of one root do not accept each other: %v", err)
	}
}

// watch runs Watch until the test ends.
func watch(t *testing.T, id *Identity) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = id.Watch(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

func serial(id *Identity) string { return id.current.Load().pair.Leaf.SerialNumber.String() }

func TestIdentity_RotationUnderLoad(t *testing.T) {
	ca := newAuthority(t)
	metrics := NewMetrics()
	server, dir := identity(t, ca.issue(serverDNS), metrics)
	client, clientDir := identity(t, ca.issue("loadgen.shop.svc"), nil)
	watch(t, server)
	watch(t, client)
	// Connections live for 30 ms, so every certificate is used for handshakes.
	stub := wire(t, fake{}, ServerConfig{Identity: server, MaxAge: 30 * time.Millisecond, MaxAgeGrace: time.Second},
		ClientConfig{Identity: client, ServerName: serverDNS, Timeout: 10 * time.Second})

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls, failed atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			_ = pause.Every(ctx, time.Millisecond, func(context.Context) error {
				calls.Add(1)
				if _, err := stub.UnaryCall(context.Background(), &testv1.SimpleRequest{}); err != nil {
					failed.Add(1)
					t.Log(err)
				}
				return nil
			})
		})
	}
	for range 3 {
		mount(t, dir, ca.issue(serverDNS))
		want := ca.last
		mount(t, clientDir, ca.issue("loadgen.shop.svc"))
		eventually(t, "the new server certificate is in use", func() bool { return server.current.Load().pair.Leaf.SerialNumber.Int64() == want })
		before := calls.Load()
		eventually(t, "a hundred calls later", func() bool { return calls.Load() >= before+100 })
		if got := metric(t, metrics, "sandbox_certificate_expiry_timestamp_seconds"); got != float64(ca.cert.NotAfter.Unix()+want) {
			t.Errorf("the metric has the expiry %v, want %v", got, ca.cert.NotAfter.Unix()+want)
		}
	}
	stop()
	load.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of %d calls failed", failed.Load(), calls.Load())
	}
	eventually(t, "three reloads are counted", func() bool { return metric(t, metrics, "sandbox_certificate_reloads_total") == 3 })
}

func TestIdentity_HalfWrittenPair(t *testing.T) {
	synctest.Test(t, testHalfWrittenPair)
}

func testHalfWrittenPair(t *testing.T) {
	ca := newAuthority(t)
	metrics, events := NewMetrics(), NewEvents(0)
	id, dir := identity(t, ca.issue(serverDNS), metrics)
	id.cfg.Events = events
	before := serial(id)
	watch(t, id)

	next := ca.issue(serverDNS)
	// The key follows later.
	replace(t, filepath.Join(dir, "tls.crt"), next.cert)
	eventually(t, "the refusal is counted", func() bool { return metric(t, metrics, "sandbox_certificate_reload_errors_total") == 1 })
	time.Sleep(50 * time.Millisecond)
	if got := metric(t, metrics, "sandbox_certificate_reload_errors_total"); got != 1 {
		t.Errorf("the same files were refused %v times, want once", got)
	}
	if serial(id) != before {
		t.Error("the last good certificate is no longer in use")
	}
	replace(t, filepath.Join(dir, "tls.key"), next.key)
	var kept []Event
	eventually(t, "the complete pair is reported", func() bool { kept, _, _ = events.After(0); return len(kept) > 1 })
	if serial(id) == before {
		t.Error("the complete pair is not in use")
	}
	if len(kept) != 2 || !strings.HasPrefix(kept[0].Detail, "kept the last good one") || !strings.HasPrefix(kept[1].Detail, "reloaded, expires") {
		t.Errorf("events %+v", kept)
	}
}

func TestIdentity_NewAuthority(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	server, serverDir := identity(t, before.issue(serverDNS), nil)
	client, clientDir := identity(t, before.issue("loadgen.shop.svc"), nil)
	watch(t, server)
	watch(t, client)
	call := func() codes.Code {
		stub := wire(t, fake{}, ServerConfig{Identity: server}, ClientConfig{Identity: client, ServerName: serverDNS})
		_, err := stub.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		return status.Code(err)
	}
	if got := call(); got != codes.OK {
		t.Fatal("before:", got)
	}
	old := client.current.Load().pair
	mount(t, serverDir, after.issue(serverDNS))
	eventually(t, "the server uses the new authority", func() bool { return server.current.Load().pair.Leaf.CheckSignatureFrom(after.cert) == nil })
	if got := call(); got != codes.Unavailable {
		t.Error("a client that trusts only the old authority got", got)
	}
	mount(t, clientDir, after.issue("loadgen.shop.svc"))
	eventually(t, "the client uses the new authority", func() bool { return client.current.Load().pair.Leaf.CheckSignatureFrom(after.cert) == nil })
	if got := call(); got != codes.OK {
		t.Error("after:", got)
	}
	// The old client certificate is no longer accepted, although the server was not restarted.
	config := client.ClientTLS(serverDNS)
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &old, nil }
	if stubborn := handshake(t, server, config); stubborn == nil {
		t.Error("the old client certificate was accepted")
	}
}

// TestIdentity_UnusablePairMounted checks that a valid key pair that no peer would accept is not used: one that is expired, or issued under another
// authority than ca.crt.
func TestIdentity_UnusablePairMounted(t *testing.T) {
	ca := newAuthority(t)
	metrics := NewMetrics()
	id, dir := identity(t, ca.issue(serverDNS), metrics)
	watch(t, id)
	rejected := func(times float64) func() bool {
		return func() bool { return metric(t, metrics, "sandbox_certificate_reload_errors_total") == times }
	}
	good := id.current.Load().digest
	expired, err := issueTemplate(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	must(t, err)
	mount(t, dir, expired)
	eventually(t, "the expired pair is rejected", rejected(1))
	if id.current.Load().digest != good {
		t.Error("an expired certificate replaced one that is still good")
	}
	foreign := newAuthority(t).issue(serverDNS)
	foreign.ca = ca.pem
	before := id.current.Load().digest
	mount(t, dir, foreign)
	eventually(t, "the foreign pair is rejected", rejected(2))
	if id.current.Load().digest != before {
		t.Error("a certificate that was not issued under ca.crt replaced a good one")
	}
}
