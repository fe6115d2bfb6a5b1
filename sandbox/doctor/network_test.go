package doctor

import (
	"context"
	"strings"
	"testing"
)

func TestGoProxy_FollowsGoEnv(t *testing.T) {
	for _, c := range []struct {
		sentence, setting string
		reached           string
		want              Outcome
		says              string
	}{
		{"the first of a list is checked", "https://one.example,https://two.example,direct\n", "https://one.example", Pass, "https://one.example answers"},
		{"a list may be separated by bars", "https://one.example|direct\n", "https://one.example", Pass, "https://one.example answers"},
		{"a password is sent, and not printed", "https://me:secret@one.example\n", "https://me:secret@one.example", Pass, "https://me:xxxxx@one.example answers"},
		{"direct needs no proxy", "direct\n", "", Skip, "GOPROXY is direct"},
		{"a folder is no proxy", "file:///modules\n", "", Skip, "GOPROXY is file:///modules"},
		{"modules are off", "off\n", "", Skip, "GOPROXY is off"},
	} {
		p := healthy()
		// The output of `go env` takes precedence.
		p.env["GOPROXY"] = "https://not-this-one.example"
		p.said["go env GOPROXY"] = c.setting
		reached := ""
		p.Reach = func(_ context.Context, address string) error { reached = address; return nil }
		got := goProxy(t.Context(), p.Host)
		if got.Outcome != c.want || !strings.HasPrefix(got.Message, c.says) || reached != c.reached {
			t.Errorf("%s: %s %q after reaching for %q", c.sentence, got.Outcome, got.Message, reached)
		}
	}
}

func TestGoProxy_SkippedWithoutGo(t *testing.T) {
	p := healthy()
	delete(p.programs, "go")
	p.Reach = func(context.Context, string) error { t.Error("it reached for something"); return nil }
	if got := goProxy(t.Context(), p.Host); got.Outcome != Skip {
		t.Errorf("%s %q", got.Outcome, got.Message)
	}
}
