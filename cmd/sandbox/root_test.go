package main

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func TestARemedyIsForTheSandboxThatWasAskedFor(t *testing.T) {
	for name, want := range map[string]string{
		sandbox.DefaultName: "broken\ntry: sandbox logs a\ntry: sandbox up --name c\nor go on",
		"b":                 "broken\ntry: sandbox --name b logs a\ntry: sandbox up --name c\nor go on",
	} {
		root := newRoot(world{getenv: func(string) string { return "" }})
		if err := root.PersistentFlags().Set("name", name); err != nil {
			t.Fatal(err)
		}
		if got := forSandbox(root, errors.New("broken\ntry: sandbox logs a\ntry: sandbox up --name c\nor go on")); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestTheDoctorsVerdictNamesWhatFailed(t *testing.T) {
	fit := []doctor.Report{{ID: "a", Result: doctor.Pass}, {ID: "b", Result: doctor.Warn, Fix: "never mind"}, {ID: "c", Result: doctor.Skip}}
	if err := unfit(fit); err != nil {
		t.Errorf("a fit machine: %v", err)
	}
	err := unfit(append(fit, doctor.Report{ID: "d", Result: doctor.Fail, Fix: "do this"}, doctor.Report{ID: "e", Result: doctor.Fail, Fix: "do that"}))
	var coded *codedError
	if !errors.As(err, &coded) || coded.code != exitEnvironment || err.Error() != "not fit: d, e\ntry: do this" {
		t.Errorf("got %v", err)
	}
}

// TestTheDoctorIsToldAllThatItAsksFor: what is never told is never checked.
func TestTheDoctorIsToldAllThatItAsksFor(t *testing.T) {
	fixture.Programs(t, map[string]string{"podman": `[ "$1" != info ] || echo /var/lib/containers`})
	env := map[string]string{"HOME": t.TempDir()}
	w := world{stdout: io.Discard, stderr: io.Discard, getenv: func(name string) string { return env[name] }}
	patient, _, err := doctorWorld(t.Context(), w, &globals{name: sandbox.DefaultName, source: "../.."})
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
