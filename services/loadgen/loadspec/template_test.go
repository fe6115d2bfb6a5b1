package loadspec

import (
	"strconv"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestTemplate_RendersOrReports(t *testing.T) {
	for _, c := range []struct{ name, text, want, says string }{
		{"no placeholder", `{"a":1}`, `{"a":1}`, ""},
		{"a range of one", `u-{{ n 7 7 }}!`, `u-7!`, ""},
		{"two placeholders without spaces", `{{n 1 1}}{{n 2 2}}`, `12`, ""},
		{"below zero", `{{ n -3 -3 }}`, `-3`, ""},
		{"a placeholder on two lines", "{{ n\n4 4 }}", `4`, ""},
		{"nested JSON is not a placeholder", `{"a":{"b":{}}}`, `{"a":{"b":{}}}`, ""},
		{"an unknown function", `{{ uuid }}`, "", "{{ uuid }} is unknown; try: {{ n 1 1000 }}"},
		{"an unclosed placeholder", `{"userId": "u-{{ n 1 1000"}`, "", "{{ is not closed; try: {{ n 1 1000 }}"},
		{"an unclosed placeholder after another one", `{{ n 1 1 }} {{ n 1 1000`, "", "{{ is not closed"},
		{"a reversed range", `{{ n 2 1 }}`, "", "names no range"},
		{"a number too large", `{{ n 1 99999999999999999999 }}`, "", "names no range"},
		{"a range wider than an int64", `{{ n -9223372036854775808 9223372036854775807 }}`, "", "names no range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tpl, err := ParseTemplate(c.text)
			if c.says != "" {
				if err == nil || !strings.Contains(remedy.Line(err, nil), c.says) {
					t.Errorf("got %v, want %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tpl.Render(1, 1); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTemplate_SameSeed(t *testing.T) {
	tpl, err := ParseTemplate("{{ n 1 1000 }}")
	if err != nil {
		t.Fatal(err)
	}
	render := func(seed int64) (all []string) {
		for n := range int64(50) {
			all = append(all, tpl.Render(seed, n))
		}
		return all
	}
	first, again, other := render(42), render(42), render(43)
	if strings.Join(first, " ") != strings.Join(again, " ") {
		t.Errorf("the same seed returned %v, then %v", first, again)
	}
	if strings.Join(first, " ") == strings.Join(other, " ") {
		t.Error("another seed returned the same")
	}
}

func TestTemplate_Distribution(t *testing.T) {
	tpl, err := ParseTemplate("{{ n 1 10 }}")
	if err != nil {
		t.Fatal(err)
	}
	var seen [12]int
	for n := range int64(10000) {
		v, err := strconv.Atoi(tpl.Render(7, n))
		if err != nil || v < 1 || v > 10 {
			t.Fatalf("rendered %d, %v", v, err)
		}
		seen[v]++
	}
	for v := 1; v <= 10; v++ {
		if seen[v] < 850 || seen[v] > 1150 {
			t.Errorf("%d was rendered %d times of 10000, want about 1000", v, seen[v])
		}
	}
}
