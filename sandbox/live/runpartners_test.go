package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// fakePartners are the partners of a gateway. Revoking one takes no time.
type fakePartners struct {
	all     []Partner
	revoked []string
	err     error
}

func (f *fakePartners) Partners(context.Context) ([]Partner, error) { return f.all, f.err }

func (f *fakePartners) RevokePartner(_ context.Context, name string) (int, error) {
	f.revoked = append(f.revoked, name)
	return 1, f.err
}

func TestRunPartners_AreNotThoseOfTheUser(t *testing.T) {
	valid, revoked := PartnerCertificate{Serial: "2"}, PartnerCertificate{Serial: "1", Revoked: time.Unix(1, 0)}
	f := &fakePartners{all: []Partner{
		{Name: "acme", Certificates: []PartnerCertificate{{Serial: "of the user"}}},
		{Name: "run-acme", Certificates: []PartnerCertificate{valid, revoked}},
		{Name: "run-globex", Certificates: []PartnerCertificate{revoked}},
		{Name: "run-empty"},
	}}
	p := runPartners{cluster: f}
	for name, want := range map[string]target.PartnerCertificate{"acme": {Serial: "2"}, "globex": {Serial: "1", Revoked: true}, "empty": {}, "unknown": {}} {
		got, ok, err := p.Certificate(t.Context(), name)
		if got != want || ok != (want.Serial != "") || err != nil {
			t.Errorf("%s: got %+v, %t, %v", name, got, ok, err)
		}
	}
	if err := p.Revoke(t.Context(), "acme"); err != nil || len(f.revoked) != 1 || f.revoked[0] != "run-acme" {
		t.Errorf("revoked %q, %v", f.revoked, err)
	}
	f.err = errors.New("away")
	if _, _, err := p.Certificate(t.Context(), "acme"); !errors.Is(err, f.err) {
		t.Errorf("got %v", err)
	}
	if err := p.Revoke(t.Context(), "acme"); !errors.Is(err, f.err) {
		t.Errorf("got %v", err)
	}
}
