package partners

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// Store keeps the registry for all replicas.
type Store interface {
	// Load returns the stored data and its version; empty data before the first Save.
	Load(ctx context.Context) (data map[string][]byte, version string, err error)
	// Save replaces the data if it still has that version, and returns ErrConflict otherwise.
	Save(ctx context.Context, data map[string][]byte, version string) error
}

// ErrConflict means that another replica has changed the data since it was loaded.
var ErrConflict = errors.New("the partners were changed at the same time")

// Service serves control.v1.Partners and control.v1.Gateways. Use NewService.
type Service struct {
	controlv1.UnimplementedPartnersServer
	controlv1.UnimplementedGatewaysServer
	log      *slog.Logger
	now      func() time.Time
	stopping <-chan struct{}

	mu sync.Mutex
	// store is nil until the process is connected to the API server.
	store Store
	// known is the newest registry that this replica has seen; nil before the first.
	known *Registry
	// changed is closed and replaced when known changes.
	changed chan struct{}
}

// NewService returns a service whose streams end when stopping is closed.
func NewService(stopping <-chan struct{}, log *slog.Logger) *Service {
	return &Service{log: log, now: time.Now, stopping: stopping, changed: make(chan struct{})}
}

// maintainEvery is how often the age of the list of revocations is checked.
const maintainEvery = time.Hour

// Maintain creates the authority if there is none, and signs the list of revocations again in time, until ctx ends. Every replica may do so.
func (s *Service) Maintain(ctx context.Context, store Store) error {
	s.mu.Lock()
	s.store = store
	s.mu.Unlock()
	for ctx.Err() == nil {
		_ = pause.For(ctx, s.maintain(ctx))
	}
	return nil
}

// maintain maintains the registry once, and returns when to do so again.
func (s *Service) maintain(ctx context.Context) time.Duration {
	err := s.change(ctx, func(r *Registry, now time.Time) (bool, error) { return r.Maintain(now) })
	if err == nil || ctx.Err() != nil {
		return maintainEvery
	}
	s.log.Warn("preparing the authority of the partners: trying again", "error", err)
	return time.Second
}

// Set tells the service what is stored now.
func (s *Service) Set(data map[string][]byte) {
	r, err := Decode(data)
	if err != nil {
		s.log.Error("reading the partners: the last good ones stay in force", "error", err)
		return
	}
	if r != nil {
		s.set(r)
	}
}

func (s *Service) set(r *Registry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known != nil && bytes.Equal(r.authorityPEM, s.known.authorityPEM) && r.Version < s.known.Version {
		// An older state that arrived late.
		return
	}
	news := !r.sameTrust(s.known)
	s.known = r
	if news {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// current returns the newest registry, and a channel that is closed at its next change of trust.
func (s *Service) current() (*Registry, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.changed
}

// attempts is how often a change is tried when other replicas change the registry at the same time.
const attempts = 5

// change loads the registry, changes it and saves it if do returns true. The registry is created if there is none.
func (s *Service) change(ctx context.Context, do func(r *Registry, now time.Time) (bool, error)) error {
	s.mu.Lock()
	store := s.store
	s.mu.Unlock()
	if store == nil {
		return status.Error(codes.Unavailable, "the control plane is not connected to the API server yet")
	}
	for range attempts {
		err := s.changeOnce(ctx, store, do)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return status.Error(codes.Aborted, ErrConflict.Error())
}

func (s *Service) changeOnce(ctx context.Context, store Store, do func(r *Registry, now time.Time) (bool, error)) error {
	data, version, err := store.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading the partners: %w", err)
	}
	r, err := Decode(data)
	if err != nil {
		return err
	}
	created := r == nil
	if created {
		if r, err = NewRegistry(s.now()); err != nil {
			return err
		}
	}
	changed, err := do(r, s.now())
	if err != nil {
		return err
	}
	if changed || created {
		if data, err = r.Encode(); err != nil {
			return err
		}
		if err := store.Save(ctx, data, version); err != nil {
			return fmt.Errorf("storing the partners: %w", err)
		}
	}
	s.set(r)
	return nil
}

// IssueCertificate signs a certificate.
func (s *Service) IssueCertificate(ctx context.Context, r *controlv1.IssueCertificateRequest) (*controlv1.IssueCertificateResponse, error) {
	validity := r.GetValidFor().AsDuration()
	if validity < 0 || validity > MaxValidity {
		return nil, status.Errorf(codes.InvalidArgument, "valid_for is %s, and may be at most %s", validity, MaxValidity)
	}
	answer := &controlv1.IssueCertificateResponse{}
	err := s.change(ctx, func(all *Registry, now time.Time) (bool, error) {
		text, issued, err := all.Issue(r.GetName(), r.GetRequestPem(), validity, r.GetRenewal(), now)
		answer.CertificatePem, answer.Certificate = text, certificateOf(issued)
		return err == nil, err
	})
	if err != nil {
		return nil, statusOf(err)
	}
	s.log.Info("issued a certificate to a partner", "partner", r.GetName(), "serial", answer.GetCertificate().GetSerial(), "renewal", r.GetRenewal())
	return answer, nil
}

// RevokePartner revokes all certificates of a partner.
func (s *Service) RevokePartner(ctx context.Context, r *controlv1.RevokePartnerRequest) (*controlv1.RevokePartnerResponse, error) {
	answer := &controlv1.RevokePartnerResponse{}
	err := s.change(ctx, func(all *Registry, now time.Time) (bool, error) {
		revoked, err := all.Revoke(r.GetName(), now)
		answer.Version, answer.Revoked = all.Version, int32(revoked) //nolint:gosec // a partner has few certificates
		return revoked > 0, err
	})
	if err != nil {
		return nil, statusOf(err)
	}
	s.log.Warn("revoked a partner", "partner", r.GetName(), "certificates", answer.GetRevoked(), "version", answer.GetVersion())
	return answer, nil
}

// ListPartners returns all partners.
func (s *Service) ListPartners(ctx context.Context, _ *controlv1.ListPartnersRequest) (*controlv1.ListPartnersResponse, error) {
	answer := &controlv1.ListPartnersResponse{}
	err := s.change(ctx, func(all *Registry, _ time.Time) (bool, error) {
		answer.Version, answer.NextUpdate = all.Version, timestamppb.New(all.NextUpdate)
		for _, p := range all.Partners {
			one := &controlv1.Partner{Name: p.Name}
			for _, c := range p.Certificates {
				one.Certificates = append(one.Certificates, certificateOf(c))
			}
			answer.Partners = append(answer.Partners, one)
		}
		return false, nil
	})
	if err != nil {
		return nil, statusOf(err)
	}
	return answer, nil
}

// FollowTrust streams whom a gateway admits.
func (s *Service) FollowTrust(_ *controlv1.FollowTrustRequest, stream grpc.ServerStreamingServer[controlv1.PartnerTrust]) error {
	for {
		r, changed := s.current()
		if r != nil {
			if err := stream.Send(&controlv1.PartnerTrust{Version: r.Version, AuthoritiesPem: r.authorityPEM, RevocationsPem: r.revocationsPEM}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-s.stopping:
			return status.Error(codes.Unavailable, "the control plane is stopping")
		}
	}
}

func certificateOf(c Certificate) *controlv1.PartnerCertificate {
	out := &controlv1.PartnerCertificate{Serial: c.Serial, NotBefore: timestamppb.New(c.NotBefore), NotAfter: timestamppb.New(c.NotAfter)}
	if !c.Revoked.IsZero() {
		out.RevokedAt = timestamppb.New(c.Revoked)
	}
	return out
}

// statusOf returns the status of an error of a registry.
func statusOf(err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, ErrName), errors.Is(err, ErrRequest):
		code = codes.InvalidArgument
	case errors.Is(err, ErrUnknown):
		code = codes.NotFound
	case errors.Is(err, ErrExists):
		code = codes.AlreadyExists
	case errors.Is(err, ErrRevoked), errors.Is(err, ErrExpired):
		code = codes.FailedPrecondition
	default:
		if _, ok := status.FromError(err); ok {
			return err
		}
	}
	return status.Error(code, err.Error())
}
