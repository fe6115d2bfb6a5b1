package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

func TestParse_RequestIsTextAsWritten(t *testing.T) {
	for in, want := range map[string]string{
		`userId: 2026-01-01`:                                 `{"userId":"2026-01-01"}`,
		`userId: 2026-01-01T10:00:00Z`:                       `{"userId":"2026-01-01T10:00:00Z"}`,
		`sku: 007, size: 0x1f, octal: 0o17`:                  `{"sku":"007","size":"0x1f","octal":"0o17"}`,
		`n: 12, f: -1.50, e: 1e3, big: 12345678901234567890`: `{"n":12,"f":-1.50,"e":1e3,"big":12345678901234567890}`,
		`on: yes, b: true, s: "true", none: null, tilde: ~`:  `{"on":"yes","b":true,"s":"true","none":null,"tilde":null}`,
		`quoted: "12", tagged: !!str 12`:                     `{"quoted":"12","tagged":"12"}`,
		`deep: {list: [1, "a", {x: <&>}]}`:                   `{"deep":{"list":[1,"a",{"x":"<&>"}]}}`,
		`inf: .inf, under: 1_000, plus: +1`:                  `{"inf":".inf","under":"1_000","plus":"+1"}`,
	} {
		sc, err := Parse("mine.yaml", []byte(strings.Replace(legal, `userId: "u-{{ n 1 9 }}"`, in, 1)))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := sc.Load[0].Call.Request; got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParse_PartnerOfALoad(t *testing.T) {
	for _, c := range []struct{ from, revoked, want string }{
		{"partner/acme", "acme", ""},
		{"partner/acme", "acm", `mine.yaml:15: spec.steps[0].revokePartner.partner: there is no load from partner "acm"` + "\n  try: acme; valid here: acme"},
		{"loadgen", "acme", `mine.yaml:15: spec.steps[0].revokePartner.partner: there is no load from partner "acme"` + "\n  try: remove it"},
	} {
		text := strings.NewReplacer("      from: loadgen\n", "      from: "+c.from+"\n",
			"{step: away}", "{step: kill}", "killPod: {release: userservice, count: 1}", "revokePartner: {partner: "+c.revoked+"}").Replace(legal)
		_, err := Parse("mine.yaml", []byte(text))
		got := ""
		if file := (*grammar.FileError)(nil); errors.As(err, &file) {
			got = file.Text(nil)
		}
		if got != c.want {
			t.Errorf("%s revoked, loads from %s: got %q, want %q", c.revoked, c.from, got, c.want)
		}
	}
}
