package doctor

import (
	"context"
	"strings"
	"testing"
)

func TestWithout_FailsOnlyForImagesToBuild(t *testing.T) {
	const answers, silent = "https://answers.test/v2/", "https://silent.test/v2/"
	for _, c := range []struct {
		sentence string
		lacking  []Lacking
		want     Outcome
		says     string
	}{
		{"every image is in the cache", nil, Pass, "no debootstrap; it is not needed: everything it would build is in the cache"},
		{"the missing image is built without the program", []Lacking{{"own:1", "", []string{"go"}}}, Pass, "no debootstrap; it is not needed: "},
		{"the missing image can be pulled", []Lacking{{"node:1", answers, []string{"debootstrap"}}}, Pass, "no debootstrap; it is not needed as long as node:1 can be pulled"},
		{"the missing image cannot be pulled", []Lacking{{"node:1", answers, []string{"debootstrap"}}, {"db:1", silent, []string{"debootstrap"}}}, Fail, "debootstrap is not in PATH, but is needed to build db:1"},
		{"the missing image is in no registry", []Lacking{{"own:1", "", []string{"debootstrap"}}}, Fail, "debootstrap is not in PATH, but is needed to build own:1"},
	} {
		p := healthy()
		delete(p.programs, "debootstrap")
		p.Reach, p.Lacking = unreachable(silent), lacks(c.lacking...)
		if got := debootstrap(t.Context(), p.Host); got.Outcome != c.want || !strings.HasPrefix(got.Message, c.says) {
			t.Errorf("%s: %s %q", c.sentence, got.Outcome, got.Message)
		}
	}
}

func TestRun_ReachesEachAddressOnce(t *testing.T) {
	p := healthy()
	// For go and debootstrap, the check finds out whether the node image can be pulled.
	p.programs = map[string]bool{}
	asked := map[string]int{}
	p.Reach = func(_ context.Context, url string) error { asked[url]++; return errBroken }
	Run(t.Context(), p.Host, nil)
	if asked["https://registry.test/v2/"] != 1 {
		t.Errorf("asked %v", asked)
	}
}
