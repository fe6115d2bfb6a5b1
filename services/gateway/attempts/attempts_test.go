package attempts

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of README.md")

func TestAll_NamesAreUnique(t *testing.T) {
	all := All()
	if len(all) < 45 {
		t.Errorf("there are %d attempts, want 45 or more", len(all))
	}
	names := map[string]bool{}
	for _, a := range all {
		if names[a.Name] || a.Want == "" || a.Certificate == "" || strings.Contains(a.Name, "|") {
			t.Errorf("%+v: a name occurs twice, or something is missing", a.Name)
		}
		names[a.Name] = true
	}
}

func TestAll_TableIsCurrent(t *testing.T) {
	const page, begin, end = "../README.md", "<!-- attempts: printed by go test -->\n", "<!-- end of attempts -->"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table of attempts", page)
	}
	text := before + begin + Markdown(All()) + end + after
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if text != string(raw) {
		t.Errorf("the table of attempts in %s is out of date; run `task golden`", page)
	}
}

func TestForge_MakesEveryKindThatTheTargetDoesNotProvide(t *testing.T) {
	ca := template()
	ca.IsCA = true
	authority, err := sign(ca, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	issuer := parse(t, authority)
	signer := signerOf(t, authority)
	valid, err := sign(template(), issuer, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := Forge(issuer, signer, valid)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range All() {
		_, ok := made[a.Certificate]
		if provided := slices.Contains([]Kind{Valid, Other, Revoked, Mesh, None}, a.Certificate); ok == provided {
			t.Errorf("%s: made by Forge: %t, provided by the target: %t", a.Certificate, ok, provided)
		}
	}
}

func parse(t *testing.T, pair tls.Certificate) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signerOf(t *testing.T, pair tls.Certificate) crypto.Signer {
	t.Helper()
	s, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatalf("a key of type %T cannot sign", pair.PrivateKey)
	}
	return s
}
