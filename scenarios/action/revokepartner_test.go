package action

import (
	"errors"
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// revoking resolves the revocation of acme, which sends the load browse.
func revoking(t *testing.T, f *fake, planning bool) Effect {
	t.Helper()
	c := f.context(planning, State{})
	c.Loads[0].From, c.Loads[1].From = target.PartnerPrefix+"acme", target.PartnerPrefix+"globex"
	e, err := revokePartner{"acme"}.Resolve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRevokePartner_LoadsGoOnWithANewCertificate(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.partners["acme"] = target.PartnerCertificate{Serial: "1"}
	e := revoking(t, f, false)
	if e.Detail != "revoke partner acme, which sends browse" || e.Touches.Share != 0.25 || e.Touches.Pods != 0 {
		t.Errorf("%+v", e)
	}
	undo, cluster := journalled(t, revokePartnerKind(), e.Undo), target.Target{Partners: fakePartners{f}}
	if err := e.Do(t.Context()); err != nil || !f.partners["acme"].Revoked {
		t.Errorf("%v; %+v", err, f.partners)
	}
	if err := undo.Restore(t.Context(), cluster); err != nil || f.partners["acme"].Revoked {
		t.Errorf("%v; %+v", err, f.partners)
	}
	if want := []string{"revoke acme", "admit acme for [run/browse]"}; !slices.Equal(f.did, want) {
		t.Errorf("did %q, want %q", f.did, want)
	}
}

func TestRevokePartner_PlanReadsNoCertificate(t *testing.T) {
	t.Parallel()
	f := newFake()
	if e := revoking(t, f, true); e.Touches.Share != 0.25 || e.Undo.Subject() != "partner acme" || len(f.did) > 0 {
		t.Errorf("%+v; did %q", e, f.did)
	}
}

func TestRevokePartner_Restore(t *testing.T) {
	t.Parallel()
	back := partnerBack{Partner: "acme", Loads: []string{"run/browse"}, Serial: "1"}
	revokedBefore := back
	revokedBefore.Revoked = true
	for _, c := range []struct {
		name     string
		undo     partnerBack
		now      target.PartnerCertificate
		admitted bool
		changed  string
	}{
		{"the change was never made", back, target.PartnerCertificate{Serial: "1"}, false, ""},
		{"revoked by the step", back, target.PartnerCertificate{Serial: "1", Revoked: true}, true, ""},
		{"admitted by another program, whose certificate the loads do not have", back, target.PartnerCertificate{Serial: "2"}, true, ""},
		{"admitted and revoked by another program", back, target.PartnerCertificate{Serial: "2", Revoked: true}, false,
			"left alone: partner acme is revoked with certificate 2, and the run had set it to revoked with certificate 1"},
		{"no longer known", back, target.PartnerCertificate{}, false, "left alone: partner acme is unknown, and the run had set it to revoked with certificate 1"},
		{"revoked before the step", revokedBefore, target.PartnerCertificate{Serial: "1", Revoked: true}, false, ""},
		{"revoked by a step below that was undone", revokedBefore.Rebase(back).(partnerBack), target.PartnerCertificate{Serial: "1", Revoked: true}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			if c.now.Serial != "" {
				f.partners["acme"] = c.now
			}
			err := c.undo.Restore(t.Context(), target.Target{Partners: fakePartners{f}})
			var changed *ChangedError
			if c.changed == "" && err != nil || c.changed != "" && (!errors.As(err, &changed) || err.Error() != c.changed) {
				t.Errorf("got %v, want %q", err, c.changed)
			}
			if admitted := len(f.did) > 0; admitted != c.admitted {
				t.Errorf("did %q, want an admission: %t", f.did, c.admitted)
			}
		})
	}
}
