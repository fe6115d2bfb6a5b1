package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

// fakePartners issues and revokes certificates without a cluster.
type fakePartners struct {
	address string
	revoked int
	err     error
}

func (f fakePartners) IssuePartner(_ context.Context, _, folder string, _ time.Duration, _ bool) (live.PartnerFiles, error) {
	return live.PartnerFiles{Certificate: live.PartnerCertificate{NotAfter: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)}, Address: f.address, CertificateFile: folder + "/partner.crt",
		KeyFile: folder + "/partner.key", RootsFile: folder + "/ca.crt", ProtosFile: folder + "/services.protoset"}, f.err
}

func (f fakePartners) RevokePartner(context.Context, string) (int, error) { return f.revoked, f.err }

func TestIssuePartner_PrintsTheCommands(t *testing.T) {
	doc, err := issuePartner(t.Context(), fakePartners{address: "localhost:9443"}, "acme", "/p", 0, false)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := doc.writeTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"acme: the certificate is valid until 2027-03-01 12:00Z\n", "key:         /p/partner.key\n",
		"\ncurl --cacert /p/ca.crt --cert /p/partner.crt --key /p/partner.key https://localhost:9443/v1/users/u-1\n",
		"\ngrpcurl -cacert /p/ca.crt -cert /p/partner.crt -key /p/partner.key -protoset /p/services.protoset -d '{\"userId\":\"u-1\"}' localhost:9443 user.v1.UserService/GetUser\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	// The port of a cluster without one for the gateway is that of a port-forward.
	doc, err = issuePartner(t.Context(), fakePartners{}, "acme", "/p", 0, false)
	if out.Reset(); err != nil || doc.writeTable(&out) != nil || doc.Address != "" || !strings.HasSuffix(doc.Curl, " https://localhost:PORT/v1/users/u-1") ||
		!strings.Contains(out.String(), "' localhost:PORT user.v1.UserService/GetUser\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if _, err := issuePartner(t.Context(), fakePartners{err: errors.New("refused")}, "acme", "/p", 0, false); err == nil {
		t.Error("a refusal is no error")
	}
}

func TestPartnersDocument_StatesOfCertificates(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(days int) time.Time { return now.Add(time.Duration(days) * 24 * time.Hour) }
	var out bytes.Buffer
	err := partnersDocument{now: now, Partners: []live.Partner{{Name: "acme", Certificates: []live.PartnerCertificate{
		{Serial: "a1", NotAfter: at(90)}, {Serial: "a2", NotAfter: at(3)}, {Serial: "a5", NotAfter: now.Add(54 * time.Minute)}, {Serial: "a3", NotAfter: at(-1)}, {Serial: "a4", NotAfter: at(90), Revoked: at(-2)}}}}}.writeTable(&out)
	if err != nil {
		t.Fatal(err)
	}
	const want = `PARTNER  STATE                      EXPIRES            SERIAL
acme     valid                      2027-04-01 00:00Z  a1
acme     valid for 72 h more        2027-01-04 00:00Z  a2
acme     valid for 54 min more      2027-01-01 00:54Z  a5
acme     expired                    2026-12-31 00:00Z  a3
acme     revoked 2026-12-30 00:00Z  2027-04-01 00:00Z  a4
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestRevokePartner_Outcomes(t *testing.T) {
	for _, c := range []struct {
		fake fakePartners
		want string
		fail bool
	}{
		{fakePartners{revoked: 2}, "acme: revoked; the gateway refuses 2 certificates since ", false},
		{fakePartners{}, "acme: was revoked before\n", false},
		{fakePartners{err: errors.New("no answer")}, "", true},
	} {
		var out bytes.Buffer
		if err := revokePartner(t.Context(), &out, c.fake, "acme"); (err != nil) != c.fail || !strings.HasPrefix(out.String(), c.want) {
			t.Errorf("%+v: %q, %v", c.fake, out.String(), err)
		}
	}
}
