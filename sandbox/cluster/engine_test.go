package cluster

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// fakeEngine is a program that records its arguments, one call per line, and then runs body.
func fakeEngine(t *testing.T, body string) (Engine, func() []string) {
	t.Helper()
	return fakeEngineNamed(t, "fakeengine", body)
}

func fakeEngineNamed(t *testing.T, name, body string) (Engine, func() []string) {
	t.Helper()
	calls := fixture.Programs(t, map[string]string{name: body})
	return Engine{Name: name}, func() []string {
		var all []string
		for _, c := range calls() {
			all = append(all, strings.TrimPrefix(c, name+" "))
		}
		return all
	}
}

func TestChoose_FirstWorkingEngine(t *testing.T) {
	broken := &commandError{command: "docker run", said: "warning\noperation not permitted", err: errors.New("exit status 125")}
	missing := errors.New("x is not installed")
	for _, c := range []struct {
		sentence string
		forced   string
		// An engine that is missing from probes works.
		probes map[string]error
		engine string
		why    []string
		fails  []string
		// not is text that neither why nor the error contains.
		not string
	}{
		{"the first engine that works is chosen without a reason", "", nil, "docker", nil, nil, ""},
		{"a broken engine is reported with the last line of its output", "", map[string]error{"docker": broken}, "podman",
			[]string{"using podman, because docker cannot run a privileged container (operation not permitted)"}, nil, "warning"},
		{"an engine that is not installed is not reported", "", map[string]error{"docker": missing}, "podman", nil, nil, "docker"},
		{"of two earlier engines only the broken one is reported", "", map[string]error{"docker": missing, "podman": broken}, "nerdctl", []string{"podman cannot run"}, nil, "docker"},
		{"a forced engine is chosen even if an earlier one works", "nerdctl", nil, "nerdctl", nil, nil, ""},
		{"a forced engine that is broken is an error even when another works", "docker", map[string]error{"docker": broken}, "", nil,
			[]string{"operation not permitted"}, "podman"},
		{"without any engine every reason is reported", "", map[string]error{"docker": broken, "podman": missing, "nerdctl": errors.New("two\nlines")}, "", nil,
			[]string{"docker cannot run", "is not installed", "two lines"}, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := Choose(t.Context(), c.forced, func(_ context.Context, e Engine) error { return c.probes[e.Name] })
			if c.fails != nil {
				fixture.WantError(t, err, c.fails...)
				if !errors.Is(err, ErrNoEngine) {
					t.Errorf("%v is not ErrNoEngine", err)
				}
				if c.not != "" && strings.Contains(err.Error(), c.not) {
					t.Errorf("error %q says %q", err, c.not)
				}
				return
			}
			if err != nil || got.Engine.Name != c.engine {
				t.Fatalf("chose %q: %v", got.Engine.Name, err)
			}
			if (got.Why == "") != (c.why == nil) || (c.not != "" && strings.Contains(got.Why, c.not)) {
				t.Errorf("why: %q", got.Why)
			}
			for _, part := range c.why {
				if !strings.Contains(got.Why, part) {
					t.Errorf("why %q does not say %q", got.Why, part)
				}
			}
		})
	}
}

func TestChoose_StopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	probes := 0
	_, err := Choose(ctx, "", func(context.Context, Engine) error {
		probes++
		cancel()
		return errors.New("killed")
	})
	if !errors.Is(err, context.Canceled) || probes != 1 {
		t.Errorf("%d probes, %v", probes, err)
	}
}

func TestEngineNames_ReturnsACopy(t *testing.T) {
	EngineNames()[0] = "other"
	if got := EngineNames(); !slices.Equal(got, []string{"docker", "podman", "nerdctl"}) {
		t.Errorf("got %v", got)
	}
}

func TestProbe_RunsAContainer(t *testing.T) {
	const runs = `case "$1" in import) tar -xOf - probe > "$(dirname "$0")/probe"; chmod +x "$(dirname "$0")/probe";; run) "$(dirname "$0")/probe" || exit 126;; esac`
	for _, c := range []struct {
		sentence, body string
		calls          []string
		fails          string
	}{
		{"a container is run and removed", runs,
			[]string{"import - sandbox.local/probe:1", "run --rm --privileged --network=bridge sandbox.local/probe:1 /probe", "rmi -f sandbox.local/probe:1"}, ""},
		{"an engine that answers but runs nothing does not work", `[ "$1" = run ] && { echo "operation not permitted" >&2; exit 125; }; exit 0`,
			[]string{"import - sandbox.local/probe:1", "run --rm --privileged --network=bridge sandbox.local/probe:1 /probe", "rmi -f sandbox.local/probe:1"}, "operation not permitted"},
		{"an engine that does not answer is not asked to run", `echo "cannot connect" >&2; exit 1`, []string{"import - sandbox.local/probe:1"}, "cannot connect"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngine(t, c.body)
			err := e.Probe(t.Context())
			if c.fails != "" {
				fixture.WantError(t, err, "running fakeengine ", c.fails)
			} else if err != nil {
				t.Error(err)
			}
			if got := calls(); !slices.Equal(got, c.calls) {
				t.Errorf("calls %q, want %q", got, c.calls)
			}
		})
	}
	fixture.WantError(t, Engine{Name: "no-such-engine"}.Probe(t.Context()), "no-such-engine is not installed")
}

func TestStream_ReturnsTheFirstError(t *testing.T) {
	damaged, refused := errors.New("damaged"), errors.New("refused")
	readAll := func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
	endless := func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1024)); err != nil {
				// Wrap the error as a writer would.
				return errors.Join(errors.New("writing layer"), err)
			}
		}
	}
	for _, c := range []struct {
		sentence string
		write    func(io.Writer) error
		read     func(io.Reader) error
		want     error
	}{
		{"all is well", func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }, readAll, nil},
		{"the writer's error is returned", func(io.Writer) error { return damaged }, func(r io.Reader) error { return errors.Join(refused, readAll(r)) }, damaged},
		{"the error of a reader that stops early is returned, and stops the writer", endless, func(io.Reader) error { return refused }, refused},
		{"the error of a reader that fails at the end is returned", func(io.Writer) error { return nil }, func(r io.Reader) error { return errors.Join(readAll(r), refused) }, refused},
		{"a reader may stop early without an error", endless, func(io.Reader) error { return nil }, nil},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			err := stream(c.write, c.read)
			if !errors.Is(err, c.want) || (err != nil && strings.Contains(err.Error(), "closed pipe")) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestLoadImage_SendsTheArchive(t *testing.T) {
	e, calls := fakeEngine(t, `[ "$(cat)" = archive ] || { echo "bad archive" >&2; exit 1; }`)
	send := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	if err := e.LoadImage(t.Context(), "docker.io/a:1", send("archive")); err != nil {
		t.Error(err)
	}
	fixture.WantError(t, e.LoadImage(t.Context(), "docker.io/a:1", send("other")), "running fakeengine load", "bad archive")
	c := Cluster{Name: "one", Engine: e}
	if err := c.LoadIntoNode(t.Context(), send("archive")); err != nil {
		t.Error(err)
	}
	if got := calls()[2]; got != "exec -i one-control-plane ctr -n k8s.io images import --no-unpack -" {
		t.Errorf("called %q", got)
	}
}

func TestHasImage_ComparesTheConfig(t *testing.T) {
	for _, c := range []struct {
		sentence, body, config string
		want                   bool
	}{
		{"docker prints the algorithm", "echo sha256:abc", "sha256:abc", true},
		{"podman does not", "echo abc", "sha256:abc", true},
		{"another image has the name", "echo sha256:def", "sha256:abc", false},
		{"there is no image", "exit 1", "sha256:abc", false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngine(t, c.body)
			if got := e.HasImage(t.Context(), "ref:1", c.config); got != c.want {
				t.Errorf("got %v", got)
			}
			if got := calls()[0]; got != "image inspect --format {{.Id}} ref:1" {
				t.Errorf("called %q", got)
			}
		})
	}
}

func TestLoadImage_RestoresTheFullNameForPodman(t *testing.T) {
	const ref = "docker.io/kindest/node:v1"
	tagged := []string{"load", "tag localhost/kindest/node:v1 " + ref, "untag localhost/kindest/node:v1 localhost/kindest/node:v1"}
	for _, c := range []struct {
		sentence, engine, said string
		calls                  []string
	}{
		{"podman may read a name of Docker's registry as a local one", "podman", "Loaded image: localhost/kindest/node:v1", tagged},
		{"older versions print another text", "podman", "Loaded image(s): localhost/kindest/node:v1", tagged},
		{"podman may know the name", "podman", "Loaded image: " + ref, []string{"load"}},
		{"docker has the name already", "docker", "Loaded image: kindest/node:v1", []string{"load"}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			e, calls := fakeEngineNamed(t, c.engine, `if [ "$1" = load ]; then cat >/dev/null; echo "`+c.said+`"; fi`)
			if err := e.LoadImage(t.Context(), ref, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }); err != nil {
				t.Fatal(err)
			}
			if got := calls(); !slices.Equal(got, c.calls) {
				t.Errorf("calls %q, want %q", got, c.calls)
			}
		})
	}
	e, _ := fakeEngineNamed(t, "podman", "cat >/dev/null")
	if err := e.LoadImage(t.Context(), ref, func(io.Writer) error { return nil }); err == nil || !strings.Contains(err.Error(), ref) {
		t.Errorf("an image that got no name: %v", err)
	}
}
