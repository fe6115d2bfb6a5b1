package spec

import (
	"strings"
	"testing"
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
