package main

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// runIn runs a command line in this process, in folders of its own.
func runIn(ctx context.Context, t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk strings.Builder
	env := map[string]string{"HOME": t.TempDir()}
	code = run(ctx, args, world{stdout: &out, stderr: &talk, getenv: func(name string) string { return env[name] }, getuid: func() int { return 1000 }})
	return code, out.String(), talk.String()
}

func TestAnInterruptedCommandEndsWith130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"up", "--images", "source"}, {"up", "--setup", "--only-setup"}, {"down", "--engine", "podman"}, {"doctor"}, {"images", "build"},
	} {
		fixture.Programs(t, map[string]string{"podman": "exit 0"})
		code, stdout, stderr := runIn(ctx, t, args...)
		if code != exitInterrupted || stdout != "" || !strings.Contains(stderr, "sandbox: interrupted: ") {
			t.Errorf("%v ended with %d, said %q and printed %q", args, code, stderr, stdout)
		}
	}
}

func TestSetUpByAUserSaysWhatRootMustRun(t *testing.T) {
	calls := fixture.Programs(t, map[string]string{"podman": "exit 0", "apt-get": ""})
	code, _, stderr := runIn(t.Context(), t, "up", "--setup", "--yes")
	if code != exitEnvironment || !strings.Contains(stderr, "\ntry: sudo apt-get update && sudo apt-get install --no-install-recommends debootstrap\n") {
		t.Errorf("ended with %d and said %q", code, stderr)
	}
	for _, c := range calls() {
		if strings.HasPrefix(c, "apt-get") {
			t.Errorf("it called %s", c)
		}
	}
}

func TestBuildingWithoutAProgramEndsWith3AndTheCommandThatInstallsIt(t *testing.T) {
	fixture.Programs(t, map[string]string{"go": "exit 1", "apt-get": ""})
	code, _, stderr := runIn(t.Context(), t, "images", "build", "--images", "source", "--source", "../..")
	const want = "building it needs debootstrap, which is not in PATH\ntry: sandbox up --setup\n" +
		"which runs: sudo apt-get update && sudo apt-get install --no-install-recommends debootstrap\n"
	if code != exitEnvironment || !strings.HasSuffix(stderr, want) {
		t.Errorf("ended with %d and said %q", code, stderr)
	}
}

func TestWhereFilesLie(t *testing.T) {
	for _, c := range []struct {
		sentence string
		env      map[string]string
		want     sandbox.Folders
		fails    string
	}{
		{"below HOME", map[string]string{"HOME": "/h"}, sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/h/.cache/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"where XDG says", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k", "XDG_STATE_HOME": "/s"},
			sandbox.Folders{Config: "/c/sandbox", Cache: "/k/sandbox", State: "/s/sandbox"}, ""},
		{"without a home", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k"},
			sandbox.Folders{Config: "/c/sandbox", Cache: "/k/sandbox", State: "/c/sandbox/.state"}, ""},
		{"a relative state folder is ignored", map[string]string{"HOME": "/h", "XDG_STATE_HOME": "s"},
			sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/h/.cache/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"each on its own", map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/k"}, sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/k/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"a relative XDG path is ignored", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "c", "XDG_CACHE_HOME": "./k"},
			sandbox.Folders{Config: "/h/.config/sandbox", Cache: "/h/.cache/sandbox", State: "/h/.local/state/sandbox"}, ""},
		{"a space in HOME", map[string]string{"HOME": "/home of/me"}, sandbox.Folders{Config: "/home of/me/.config/sandbox", Cache: "/home of/me/.cache/sandbox", State: "/home of/me/.local/state/sandbox"}, ""},
		{"nowhere", nil, sandbox.Folders{}, "neither XDG_CONFIG_HOME nor HOME is an absolute path\ntry: export HOME"},
		{"a relative HOME", map[string]string{"HOME": "h"}, sandbox.Folders{}, "nor HOME is an absolute path\ntry: export HOME"},
	} {
		got, err := world{getenv: func(name string) string { return c.env[name] }}.folders()
		if c.fails != "" {
			fixture.WantError(t, err, c.fails)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", c.sentence, err, diff)
		}
	}
}

// printedError returns what the command prints for an error.
func printedError(g *globals, err error) string {
	var stderr strings.Builder
	g.printError(world{stderr: &stderr}, "sandbox:", err)
	return stderr.String()
}

func TestARemedyIsForTheSandboxThatWasAskedFor(t *testing.T) {
	err := remedy.Wrap(errors.New("broken\nor not"), remedy.Command("logs", "a"), remedy.Command("up", "--name", "c"), remedy.Advicef("%s, or go on", remedy.Command("down")))
	for name, want := range map[string]string{
		sandbox.DefaultName: "sandbox: broken\nor not\ntry: sandbox logs a\ntry: sandbox up --name c\ntry: sandbox down, or go on\n",
		"b":                 "sandbox: broken\nor not\ntry: sandbox logs a --name b\ntry: sandbox up --name c\ntry: sandbox down --name b, or go on\n",
	} {
		var stderr strings.Builder
		w := world{stderr: &stderr, getenv: func(string) string { return "" }}
		root := newRoot(w)
		if err := root.PersistentFlags().Set("name", name); err != nil {
			t.Fatal(err)
		}
		if printError(w, root, "sandbox:", err); stderr.String() != want {
			t.Errorf("%s: got %q", name, stderr.String())
		}
	}
}

func TestTheDoctorsVerdictNamesWhatFailed(t *testing.T) {
	finding := func(id string, o doctor.Outcome, fix string) doctor.Finding {
		return doctor.Finding{ID: id, Result: doctor.Result{Outcome: o, Fix: remedy.Advice(fix)}}
	}
	fit := []doctor.Finding{finding("a", doctor.Pass, ""), finding("b", doctor.Warn, "never mind"), finding("c", doctor.Skip, "")}
	if err := unfit(fit); err != nil {
		t.Errorf("a fit machine: %v", err)
	}
	err := unfit(append(fit, finding("d", doctor.Fail, "do this"), finding("e", doctor.Fail, "do that")))
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitEnvironment || fixture.ErrorText(err) != "not fit: d, e\ntry: do this" {
		t.Errorf("got %v", err)
	}
}

// TestTheDoctorIsToldAllThatItAsksFor: what is never told is never checked.
func TestTheDoctorIsToldAllThatItAsksFor(t *testing.T) {
	fixture.Programs(t, map[string]string{"podman": `[ "$1" != info ] || echo /var/lib/containers`})
	env := map[string]string{"HOME": t.TempDir()}
	w := world{stdout: io.Discard, stderr: io.Discard, getenv: func(name string) string { return env[name] }}
	patient, _, err := doctorHost(t.Context(), w, &globals{name: sandbox.DefaultName, source: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	all := reflect.ValueOf(patient)
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		ofCluster := name == "Cluster" || name == "Damage" // there is none
		if all.Field(i).IsZero() != ofCluster {
			t.Errorf("%s is %v", name, all.Field(i))
		}
	}
}
