package doctor

import (
	"context"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const engine = "engine"

func engineChecks() []Check {
	return []Check{
		{ID: "engine-present", Category: engine, Run: enginePresent},
		{ID: "engine-version", Category: engine, Run: engineVersion},
		{ID: "engine-works", Category: engine, Run: engineWorks},
		{ID: "engine-runc", Category: engine, Run: engineRunc},
		{ID: "privilege", Category: engine, Run: privilege},
		{ID: "cap-sys-resource", Category: engine, Run: capSysResource},
	}
}

func installEngine(w Host) remedy.Remedy {
	if w.SetsUp {
		return remedy.Command("up", "--setup")
	}
	return remedy.Advice("install podman or docker, for example: apt-get install podman")
}

func enginePresent(_ context.Context, w Host) Result {
	if w.Engine == "" {
		return fail(installEngine(w), "neither docker, podman nor nerdctl was found")
	}
	path, err := w.LookPath(w.Engine)
	if err != nil {
		return fail(installEngine(w), "%s was chosen, but is not in PATH", w.Engine)
	}
	return pass("%s at %s", w.Engine, path)
}

// engineFormats has, for each engine, the template that prints its version, and the oldest version that kind supports.
var engineFormats = map[string]struct{ format, oldest string }{
	"docker": {"{{.Server.Version}}", "20.10"},
	"podman": {"{{.Client.Version}}", "4.0"},
}

func engineVersion(ctx context.Context, w Host) Result {
	e, ok := engineFormats[w.Engine]
	if !ok {
		return skip("no engine whose versions are known")
	}
	out, err := w.Exec(ctx, w.Engine, "version", "--format", e.format)
	if err != nil {
		return fail(remedy.Advice("start the engine, then see: "+w.Engine+" version"), "%s does not report its version: %v", w.Engine, err)
	}
	version := strings.TrimSpace(out)
	if older(version, e.oldest) {
		return fail(remedy.Advice("upgrade "+w.Engine+" to "+e.oldest+" or newer"), "%s %s is older than %s", w.Engine, version, e.oldest)
	}
	return pass("%s %s", w.Engine, version)
}

// older compares the first two numbers of two versions.
func older(version, than string) bool {
	a, b := twoNumbers(version), twoNumbers(than)
	return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
}

func twoNumbers(version string) (n [2]int) {
	for i, part := range strings.SplitN(version, ".", 3) {
		if i < 2 {
			digits := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
			if digits >= 0 {
				part = part[:digits]
			}
			n[i], _ = strconv.Atoi(part)
		}
	}
	return n
}

func engineWorks(ctx context.Context, w Host) Result {
	if w.Engine == "" || w.EngineProbe == nil {
		return skip("no engine to try")
	}
	if err := w.EngineProbe(ctx); err != nil {
		return fail(remedy.Advice("make this work first: "+w.Engine+" run --rm --privileged IMAGE true"), "a privileged container does not run: %v", err)
	}
	return pass("a privileged container runs")
}

func engineRunc(_ context.Context, w Host) Result {
	if w.Engine != "podman" || cgroupVersion(w) == "v2" {
		return pass("not needed by %s on cgroup %s", orNone(w.Engine), cgroupVersion(w))
	}
	path, err := w.LookPath("runc")
	if err != nil {
		return fail(remedy.Advice("apt-get install runc"), "podman on cgroup %s needs runc, which is not in PATH", cgroupVersion(w))
	}
	return pass("runc at %s", path)
}

func privilege(ctx context.Context, w Host) Result {
	if w.Getuid() == 0 {
		return pass("root")
	}
	switch w.Engine {
	case "docker":
		// Rootless docker and Docker Desktop have their sockets elsewhere.
		if w.EngineProbe != nil && w.EngineProbe(ctx) == nil {
			return pass("not root; docker ran a privileged container")
		}
		if _, err := w.Stat("/var/run/docker.sock"); err != nil && w.Getenv("DOCKER_HOST") == "" {
			return fail(remedy.Advice("start the docker daemon: sudo systemctl start docker"), "not root, and no docker daemon has its socket here")
		}
		return pass("not root; the docker daemon is")
	case "podman":
		if cgroupVersion(w) != "v2" {
			return fail(remedy.Advice("run sandbox as root, or boot with systemd.unified_cgroup_hierarchy=1"),
				"rootless podman needs cgroup v2, and this is %s", cgroupVersion(w))
		}
		if ids, err := w.ReadFile("/etc/subuid"); err != nil || !delegated(string(ids), w.Getenv("USER"), w.Getuid()) {
			return fail(remedy.Advice("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"),
				"rootless podman needs a range of user ids in /etc/subuid")
		}
		return pass("rootless, with user ids of its own")
	}
	return skip("no engine that could need it")
}

// delegated reports whether /etc/subuid gives the user a range of ids.
func delegated(subuid, user string, uid int) bool {
	for line := range strings.Lines(subuid) {
		owner, _, _ := strings.Cut(line, ":")
		if owner == strconv.Itoa(uid) || user != "" && owner == user {
			return true
		}
	}
	return false
}

// capSysResourceBit is CAP_SYS_RESOURCE in linux/capability.h.
const capSysResourceBit = 24

func capSysResource(_ context.Context, w Host) Result {
	if w.Getuid() != 0 {
		return pass("not root: limits are raised by the engine's daemon, or not at all")
	}
	effective, err := strconv.ParseUint(field(w, "/proc/self/status", "CapEff:"), 16, 64)
	if err != nil {
		return skip("the capabilities of this process are not known")
	}
	if effective&(1<<capSysResourceBit) == 0 {
		return warn(
			remedy.Advicef("nothing, %s gives podman a private configuration that raises no limits; or grant CAP_SYS_RESOURCE", remedy.Command("up")),

			"root without CAP_SYS_RESOURCE: limits cannot be raised")
	}
	return pass("limits can be raised")
}

func orNone(s string) string {
	if s == "" {
		return "no engine"
	}
	return s
}
