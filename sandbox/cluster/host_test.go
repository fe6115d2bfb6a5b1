package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestExitProgram_Runs(t *testing.T) {
	program, err := exitProgram()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(file).CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("%v: %q", err, out)
	}
}

func TestHasCapability_ReadsTheBoundingSet(t *testing.T) {
	for _, c := range []struct {
		sentence, status string
		want, fails      bool
	}{
		{"a full set has the capability", "Name:\tx\nCapBnd:\t000001ffffffffff\n", true, false},
		{"its bit alone is enough", "CapBnd:\t0000000001000000\n", true, false},
		{"every bit but its own is not", "CapBnd:\t000001fffeffffff\n", false, false},
		{"the effective set does not count", "CapEff:\t000001ffffffffff\nCapBnd:\t0000000000000000\n", false, false},
		{"a missing line is an error", "Name:\tx\n", false, true},
		{"a line without a number is an error", "CapBnd:\tall\n", false, true},
	} {
		got, err := hasCapability(c.status, capSysResource)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: got %v, %v", c.sentence, got, err)
		}
	}
}

func TestContainersConf_FollowsTheHost(t *testing.T) {
	for _, c := range []struct {
		sentence string
		files    uint64
		v1       bool
		want     string
	}{
		{"open files are limited to what the host allows", 4096, false, "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=32768:32768\"]\n"},
		{"cgroup v1 needs runc", 20000, true, "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=32768:32768\"]\n[engine]\nruntime = \"runc\"\n"},
	} {
		if got := containersConf(c.files, c.v1); got != c.want {
			t.Errorf("%s: got\n%s", c.sentence, got)
		}
	}
}

func TestPreparePodman_OnlyIfNeeded(t *testing.T) {
	for _, c := range []struct {
		sentence string
		host     Host
		writes   bool
		runc     bool
	}{
		{"an ordinary host keeps podman's own settings", Host{}, false, false},
		{"cgroup v1 needs settings and runc", Host{CgroupV1: true}, true, true},
		{"limits that cannot be raised need settings", Host{NoResources: true}, true, false},
	} {
		dir := filepath.Join(t.TempDir(), "podman")
		set := map[string]string{}
		// It is idempotent.
		for range 2 {
			if err := c.host.PreparePodman(dir, func(k, v string) error { set[k] = v; return nil }); err != nil {
				t.Fatalf("%s: %v", c.sentence, err)
			}
		}
		file, written := set["CONTAINERS_CONF"]
		if written != c.writes {
			t.Errorf("%s: environment %v", c.sentence, set)
		}
		if !written {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil || filepath.Dir(file) != dir || strings.Contains(string(text), "runc") != c.runc {
			t.Errorf("%s: %s has %q, %v", c.sentence, file, text, err)
		}
	}
	failed := errors.New("no environment")
	if err := (Host{CgroupV1: true}).PreparePodman(t.TempDir(), func(string, string) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a failure to set the environment is lost: %v", err)
	}
}

func TestEnsureModulesFolder_IsIdempotent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib", "modules")
	for n, want := range []bool{true, false} {
		made, err := EnsureModulesFolder(path)
		if err != nil || made != want {
			t.Errorf("time %d: made %v, %v", n+1, made, err)
		}
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		t.Errorf("no folder: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if made, err := EnsureModulesFolder(filepath.Join(file, "modules")); err == nil || made {
		t.Error("a folder below a file was made")
	}
	blocked := "/proc/no/modules"
	_, err := EnsureModulesFolder(blocked)
	fixture.WantError(t, err, "making "+blocked, fmt.Sprintf("\ntry: sudo mkdir -p %s", blocked))
}

func TestInspectHost_ReadsThisMachine(t *testing.T) {
	h, err := InspectHost()
	if err != nil {
		t.Fatal(err)
	}
	// Only version 2 has this file at the root.
	_, err = os.Stat("/sys/fs/cgroup/cgroup.controllers")
	if (err != nil) != h.CgroupV1 {
		t.Errorf("cgroup v1: %v, but cgroup.controllers: %v", h.CgroupV1, err)
	}
}
