package action

import (
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func TestRenewCertificate_LeavesNothingToUndo(t *testing.T) {
	t.Parallel()
	f := newFake("a", "b")
	e, err := renewCertificate{"userservice"}.Resolve(t.Context(), f.context(false, State{}))
	if err != nil {
		t.Fatal(err)
	}
	if e.Detail != "renew the certificate of userservice" || e.Touches.Pods != 2 || e.Touches.OfPods != 2 || e.Touches.Share != 0.25 || e.Undo != nil {
		t.Errorf("%+v", e)
	}
	if err := e.Do(t.Context()); err != nil || !slices.Equal(f.did, []string{"renew userservice"}) {
		t.Errorf("%v; did %q", err, f.did)
	}
}

func TestRenewCertificate_OfTheGatewayTouchesThePartners(t *testing.T) {
	t.Parallel()
	c := newFake("a").context(true, State{})
	c.Loads[0].From = target.PartnerPrefix + "acme"
	e, err := renewCertificate{target.Gateway}.Resolve(t.Context(), c)
	if err != nil || e.Touches.Share != 0.25 {
		t.Errorf("%+v, %v", e, err)
	}
}
