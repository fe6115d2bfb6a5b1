package certs

import (
	"crypto/x509"
	"testing"
	"time"
)

func root(t *testing.T, now time.Time) Root {
	t.Helper()
	r, err := NewRoot(now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAuthority_IsStoredAndReadBackInEveryStage(t *testing.T) {
	first, second, third := root(t, time.Now()), root(t, time.Now()), root(t, time.Now())
	for _, c := range []struct {
		authority Authority
		stage     Stage
		bundle    []*x509.Certificate
	}{
		{Authority{Issuing: first}, Steady, []*x509.Certificate{first.Cert}},
		{Authority{Issuing: first, Next: &second}, Introducing, []*x509.Certificate{first.Cert, second.Cert}},
		{Authority{Issuing: second, Previous: []*x509.Certificate{first.Cert, third.Cert}}, Switching, []*x509.Certificate{second.Cert, first.Cert, third.Cert}},
		{Authority{Issuing: second, Previous: []*x509.Certificate{second.Cert}}, Switching, []*x509.Certificate{second.Cert}},
		{Authority{Issuing: second, Retired: []*x509.Certificate{first.Cert}}, Retiring, []*x509.Certificate{second.Cert}},
	} {
		t.Run(string(c.stage), func(t *testing.T) {
			data := c.authority.Data()
			if _, has := data["ca.crt"]; has {
				t.Error("cert-manager would put ca.crt into every chain")
			}
			got, err := ParseAuthority(data, "7")
			if err != nil {
				t.Fatal(err)
			}
			if got.Version != "7" || got.Stage() != c.stage || !got.SameBundle(Encode(c.bundle)) || !got.SameBundle(Encode(c.authority.Bundle())) {
				t.Errorf("stage %s, version %s, bundle of %d", got.Stage(), got.Version, len(got.Bundle()))
			}
			if got.SameBundle(Encode(append(c.bundle, root(t, time.Now()).Cert))) || got.SameBundle([]byte("damaged")) || got.SameBundle(nil) {
				t.Error("another bundle is taken for its own")
			}
		})
	}
}

func TestParseAuthority_RefusesDamage(t *testing.T) {
	first, second := root(t, time.Now()), root(t, time.Now())
	for name, spoil := range map[string]func(data map[string][]byte){
		"no certificate":              func(d map[string][]byte) { delete(d, "tls.crt") },
		"another root's key":          func(d map[string][]byte) { d["tls.key"] = second.KeyPEM },
		"a next root without its key": func(d map[string][]byte) { d["next.crt"] = second.CertPEM },
		"no previous certificate":     func(d map[string][]byte) { d["previous.crt"] = []byte("x") },
		"no retired certificate":      func(d map[string][]byte) { d["retired.crt"] = []byte("x") },
	} {
		data := Authority{Issuing: first}.Data()
		spoil(data)
		if _, err := ParseAuthority(data, ""); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEstablish_FromWhatWasFound(t *testing.T) {
	now := time.Now()
	earlier, lost := root(t, now), root(t, now)
	expired := root(t, now.Add(-2*rootLife))
	for name, c := range map[string]struct {
		found   Found
		adopted bool
		stage   Stage
	}{
		"a new sandbox makes a root":                                     {Found{}, false, Steady},
		"the authority of an earlier version becomes the root":           {Found{CA: &earlier}, true, Steady},
		"an expired one does not":                                        {Found{CA: &expired}, false, Steady},
		"roots that are mounted stay trusted until nothing needs them":   {Found{Trusted: []*x509.Certificate{lost.Cert, lost.Cert}}, false, Switching},
		"the earlier authority, when it is mounted, is no previous root": {Found{CA: &earlier, Trusted: []*x509.Certificate{earlier.Cert}}, true, Steady},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := Establish(now, c.found)
			if err != nil {
				t.Fatal(err)
			}
			if adopted := a.Issuing.Cert.Equal(earlier.Cert); adopted != c.adopted || a.Stage() != c.stage {
				t.Errorf("adopted %v, stage %s", adopted, a.Stage())
			}
			if len(c.found.Trusted) > 0 && !contains(a.Bundle(), c.found.Trusted[0]) {
				t.Error("a root that is mounted is trusted no more")
			}
		})
	}
}

func TestNewRoot_HasASubjectOfItsOwn(t *testing.T) {
	a, b := root(t, time.Now()), root(t, time.Now())
	if string(a.Cert.RawSubject) == string(b.Cert.RawSubject) {
		t.Error("two roots have one subject: handshakes cannot tell them apart")
	}
	if !a.Cert.IsCA || a.Cert.NotAfter.Before(time.Now().AddDate(9, 0, 0)) || time.Now().Before(a.Cert.NotBefore) {
		t.Errorf("CA %v, from %s to %s", a.Cert.IsCA, a.Cert.NotBefore, a.Cert.NotAfter)
	}
}
