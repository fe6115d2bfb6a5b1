package partners

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"math/big"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// memory is a store that several services share.
type memory struct {
	mu      sync.Mutex
	data    map[string][]byte
	version int
	// beforeSave is called without the lock.
	beforeSave func()
}

func (m *memory) Load(context.Context) (map[string][]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.data), strconv.Itoa(m.version), nil
}

func (m *memory) Save(_ context.Context, data map[string][]byte, version string) error {
	if m.beforeSave != nil {
		m.beforeSave()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != strconv.Itoa(m.version) {
		return ErrConflict
	}
	m.data, m.version = data, m.version+1
	return nil
}

// started returns a service that has its authority.
func started(t *testing.T, store Store) *Service {
	t.Helper()
	s := NewService(nil, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	_, changed := s.current()
	go func() { done <- s.Maintain(ctx, store) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-changed
	return s
}

func request(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// follower collects what a gateway receives.
type follower struct {
	ctx      context.Context
	received chan *controlv1.PartnerTrust
}

func (f follower) Send(t *controlv1.PartnerTrust) error { f.received <- t; return nil }
func (f follower) Context() context.Context             { return f.ctx }
func (follower) SetHeader(metadata.MD) error            { return nil }
func (follower) SendHeader(metadata.MD) error           { return nil }
func (follower) SetTrailer(metadata.MD)                 {}
func (follower) SendMsg(any) error                      { return nil }
func (follower) RecvMsg(any) error                      { return nil }

func follow(t *testing.T, s *Service) <-chan *controlv1.PartnerTrust {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := follower{ctx, make(chan *controlv1.PartnerTrust, 10)}
	done := make(chan error, 1)
	go func() { done <- s.FollowTrust(nil, f) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return f.received
}

// admits reports whether a gateway with that trust admits a certificate.
func admits(t *testing.T, trust *controlv1.PartnerTrust, certificate []byte) bool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(trust.GetAuthoritiesPem()) {
		t.Fatal("no authority")
	}
	leaf, err := x509.ParseCertificate(contents(certificate))
	if err != nil {
		t.Fatal(err)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(contents(trust.GetRevocationsPem()))
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(chains[0][len(chains[0])-1]); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
			return false
		}
	}
	return true
}

func TestService_RevocationReachesGateways(t *testing.T) {
	store := &memory{}
	s := started(t, store)
	received := follow(t, s)
	first := <-received
	acme, err := s.IssueCertificate(t.Context(), &controlv1.IssueCertificateRequest{Name: "acme", RequestPem: request(t)})
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.IssueCertificate(t.Context(), &controlv1.IssueCertificateRequest{Name: "globex", RequestPem: request(t), ValidFor: durationpb.New(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := s.IssueCertificate(t.Context(), &controlv1.IssueCertificateRequest{Name: "acme", RequestPem: request(t), Renewal: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]byte{acme.GetCertificatePem(), other.GetCertificatePem(), renewed.GetCertificatePem()} {
		if !admits(t, first, c) {
			t.Error("a new certificate is not admitted")
		}
	}
	answer, err := s.RevokePartner(t.Context(), &controlv1.RevokePartnerRequest{Name: "acme"})
	if err != nil || answer.GetRevoked() != 2 {
		t.Fatalf("%v, %v", answer, err)
	}
	second := <-received
	if second.GetVersion() != answer.GetVersion() || second.GetVersion() <= first.GetVersion() {
		t.Errorf("version %d after %d, and the answer has %d", second.GetVersion(), first.GetVersion(), answer.GetVersion())
	}
	for _, c := range []struct {
		name string
		pem  []byte
		want bool
	}{{"the old one of acme", acme.GetCertificatePem(), false}, {"the new one of acme", renewed.GetCertificatePem(), false}, {"globex", other.GetCertificatePem(), true}} {
		if got := admits(t, second, c.pem); got != c.want {
			t.Errorf("%s: admitted %v", c.name, got)
		}
	}
	if again, err := s.RevokePartner(t.Context(), &controlv1.RevokePartnerRequest{Name: "acme"}); err != nil || again.GetRevoked() != 0 || again.GetVersion() != answer.GetVersion() {
		t.Errorf("revoked again: %v, %v", again, err)
	}
	// Another replica starts with what is stored.
	if trust := <-follow(t, started(t, store)); admits(t, trust, acme.GetCertificatePem()) {
		t.Error("another replica admits a revoked certificate")
	}
}

func TestService_Refusals(t *testing.T) {
	s := started(t, &memory{})
	issue := func(name string, renewal bool, pem []byte, valid time.Duration) codes.Code {
		_, err := s.IssueCertificate(t.Context(), &controlv1.IssueCertificateRequest{Name: name, RequestPem: pem, Renewal: renewal, ValidFor: durationpb.New(valid)})
		return status.Code(err)
	}
	good := request(t)
	forged := append([]byte{}, contents(good)...)
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		what string
		got  codes.Code
		want codes.Code
	}{
		{"a first certificate", issue("acme", false, good, 0), codes.OK},
		{"a second one that is no renewal", issue("acme", false, good, 0), codes.AlreadyExists},
		{"a renewal of an unknown partner", issue("nobody", true, good, 0), codes.NotFound},
		{"no name", issue("", false, good, 0), codes.InvalidArgument},
		{"a name with a line break", issue("a\nb", false, good, 0), codes.InvalidArgument},
		{"a name in upper case", issue("Acme", false, good, 0), codes.InvalidArgument},
		{"a name of 41 characters", issue("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, good, 0), codes.InvalidArgument},
		{"no request", issue("a", false, nil, 0), codes.InvalidArgument},
		{"a forged request", issue("a", false, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: forged}), 0), codes.InvalidArgument},
		{"two years", issue("a", false, good, 2*MaxValidity), codes.InvalidArgument},
		{"a negative validity", issue("a", false, good, -time.Hour), codes.InvalidArgument},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
	if _, err := s.RevokePartner(t.Context(), &controlv1.RevokePartnerRequest{Name: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("revoking an unknown partner: %v", err)
	}
	if _, err := s.RevokePartner(t.Context(), &controlv1.RevokePartnerRequest{Name: "acme"}); err != nil {
		t.Error(err)
	}
	if got := issue("acme", true, good, 0); got != codes.FailedPrecondition {
		t.Errorf("renewing a revoked partner: %s", got)
	}
	// A revoked partner may come back, with a new certificate.
	if got := issue("acme", false, good, 0); got != codes.OK {
		t.Errorf("a revoked partner that comes back: %s", got)
	}
	list, err := s.ListPartners(t.Context(), &controlv1.ListPartnersRequest{})
	if err != nil || len(list.GetPartners()) != 1 || len(list.GetPartners()[0].GetCertificates()) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	newest, oldest := list.GetPartners()[0].GetCertificates()[0], list.GetPartners()[0].GetCertificates()[1]
	if newest.GetRevokedAt() != nil || oldest.GetRevokedAt() == nil {
		t.Errorf("newest %v, oldest %v", newest, oldest)
	}
}

func TestService_ConflictIsRepeated(t *testing.T) {
	store := &memory{}
	a, b := started(t, store), started(t, store)
	store.beforeSave = func() {
		store.beforeSave = nil
		if _, err := b.IssueCertificate(t.Context(), &controlv1.IssueCertificateRequest{Name: "globex", RequestPem: request(t)}); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.IssueCertificate(t.Context(), &controlv1.IssueCertificateRequest{Name: "acme", RequestPem: request(t)}); err != nil {
		t.Fatal(err)
	}
	list, err := a.ListPartners(t.Context(), &controlv1.ListPartnersRequest{})
	if err != nil || len(list.GetPartners()) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestRegistry_RenewalNeedsAValidCertificate(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := NewRegistry(now)
	if err != nil {
		t.Fatal(err)
	}
	renew := func(at time.Time) error {
		_, _, err := r.Issue("acme", request(t), time.Hour, true, at)
		return err
	}
	if err := renew(now); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown partner: %v", err)
	}
	if _, _, err := r.Issue("acme", request(t), time.Hour, false, now); err != nil {
		t.Fatal(err)
	}
	if err := renew(now.Add(2 * time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("after the certificate has expired: %v", err)
	}
	if _, err := r.Revoke("acme", now); err != nil {
		t.Fatal(err)
	}
	if err := renew(now); !errors.Is(err, ErrRevoked) {
		t.Errorf("after the partner was revoked: %v", err)
	}
}

func TestRegistry_SignsAgainInTime(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := NewRegistry(now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Issue("acme", request(t), time.Hour, false, now); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Revoke("acme", now); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after    time.Duration
		changed  bool
		partners int
	}{
		{3 * 24 * time.Hour, false, 1},
		{4 * 24 * time.Hour, true, 1},
		{5 * 24 * time.Hour, false, 1},
		// A week after it has expired, the certificate is forgotten.
		{8 * 24 * time.Hour, true, 0},
	} {
		at := now.Add(c.after)
		before := r.Version
		changed, err := r.Maintain(at)
		if err != nil || changed != c.changed || (r.Version > before) != c.changed || len(r.Partners) != c.partners {
			t.Errorf("after %s: changed %v, version %d after %d, %d partners, %v", c.after, changed, r.Version, before, len(r.Partners), err)
		}
		if left := r.NextUpdate.Sub(at); left < revocationsValidity/2 {
			t.Errorf("after %s: the list is valid for %s", c.after, left)
		}
	}
}

func TestDecode_RoundTripAndDamage(t *testing.T) {
	r, err := NewRegistry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Issue("acme", request(t), 0, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(data)
	if err != nil || again.Version != r.Version || !again.sameTrust(r) || len(again.Partners) != 1 || again.Partners[0].Certificates[0] != r.Partners[0].Certificates[0] {
		t.Errorf("%+v, %v", again, err)
	}
	if none, err := Decode(nil); none != nil || err != nil {
		t.Errorf("no data: %v, %v", none, err)
	}
	for key := range data {
		damaged := maps.Clone(data)
		damaged[key] = []byte("-")
		if _, err := Decode(damaged); err == nil {
			t.Errorf("a damaged %s was accepted", key)
		}
	}
	if serial().Cmp(big.NewInt(0)) <= 0 {
		t.Error("a serial number is not positive")
	}
}
