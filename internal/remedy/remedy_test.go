package remedy_test

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestOf_FindsRemediesInTheTree(t *testing.T) {
	t.Parallel()
	inner := remedy.New("no server", remedy.Command("up"))
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"no error":                        {nil, nil},
		"an error without remedies":       {errors.New("x"), nil},
		"the error itself":                {inner, []string{"sandbox up"}},
		"a wrapped error":                 {fmt.Errorf("asking: %w, twice", inner), []string{"sandbox up"}},
		"inner remedies first":            {remedy.Wrap(fmt.Errorf("asking: %w", inner), remedy.Flag("engine", "podman")), []string{"sandbox up", "--engine podman"}},
		"joined errors in their order":    {errors.Join(remedy.New("a", remedy.Value("5s")), inner), []string{"5s", "sandbox up"}},
		"several errors in one format":    {fmt.Errorf("%w and %w", remedy.New("a", remedy.Value("5s")), inner), []string{"5s", "sandbox up"}},
		"the same remedy twice":           {errors.Join(inner, remedy.Wrap(errors.New("y"), remedy.Command("up"))), []string{"sandbox up"}},
		"several remedies of one error":   {remedy.New("z", remedy.Advice("wait"), remedy.Flag("yes", "")), []string{"wait", "--yes"}},
		"a remedy with what it runs":      {remedy.Wrap(inner, remedy.Command("up").Runs("apt-get")), []string{"sandbox up (runs apt-get)"}},
		"a formatted error":               {remedy.Errorf(remedy.OneOf("a", "b"), "%q: %w", "x", inner), []string{"sandbox up", "one of a, b"}},
		"a wrapped nil is still no error": {remedy.Wrap(nil, remedy.Command("up")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range remedy.Of(c.err) {
				lines := r.Lines(nil)
				text := strings.TrimPrefix(lines[0], "try: ")
				for _, l := range lines[1:] {
					text += " (" + strings.Replace(l, "which runs: ", "runs ", 1) + ")"
				}
				got = append(got, text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWrap_KeepsTheText(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	err := remedy.Wrap(fmt.Errorf("writing: %w", cause), remedy.Shell("df", "-h"))
	if err.Error() != "writing: disk full" {
		t.Errorf("the text is %q", err)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
}

func TestLines_CommandIsRenderedByTheCaller(t *testing.T) {
	t.Parallel()
	r := remedy.Command("logs", "userservice").Runs("kubectl logs")
	got := r.Lines(func(args []string) string { return "sandbox " + strings.Join(args, " ") + " --name demo" })
	if want := []string{"try: sandbox logs userservice --name demo", "which runs: kubectl logs"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAdvicef_RendersTheCommandsInside(t *testing.T) {
	t.Parallel()
	r := remedy.Advicef("%s, then %s; %s fills the cache", remedy.Command("down"), "wait", remedy.Command("up", "--images", "pull"))
	render := func(args []string) string { return "sandbox " + strings.Join(args, " ") + " --name demo" }
	if got, want := r.Text(render), "sandbox down --name demo, then wait; sandbox up --images pull --name demo fills the cache"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if r.IsZero() || !(remedy.Remedy{}).IsZero() {
		t.Error("only the zero Remedy is zero")
	}
}

func TestLine_HasTheErrorAndItsRemedies(t *testing.T) {
	t.Parallel()
	err := remedy.Wrap(errors.New("no server\nat all"), remedy.Command("up").Runs("kind"), remedy.Advice("wait"))
	if got, want := remedy.Line(err, nil), "no server; at all; try: sandbox up, which runs: kind; try: wait"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestQuote_IsReadBackByAShell uses a real shell.
func TestQuote_IsReadBackByAShell(t *testing.T) {
	t.Parallel()
	words := []string{"plain", "two words", "", "it's", `back\slash`, "$HOME", "~", "a;b", "*", "über", "new\nline", "#x", "{a,b}", "--x=y z"}
	out, err := exec.Command("sh", "-c", `printf '%s\0' `+remedy.Quote(words...)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
		t.Errorf("the shell read %q, want %q", got, words)
	}
}
