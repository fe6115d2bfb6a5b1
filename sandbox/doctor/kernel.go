package doctor

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const kernel = "kernel"

func kernelChecks() []Check {
	return []Check{
		{ID: "cgroup-version", Category: kernel, Run: cgroups},
		{ID: "inotify-instances", Category: kernel,
			Run: atLeast("fs.inotify.max_user_instances", 128, 512)},
		{ID: "inotify-watches", Category: kernel,
			Run: atLeast("fs.inotify.max_user_watches", 8192, 524288)},
		{ID: "ip-forward", Category: kernel, Run: ipForward},
		{ID: "kernel-modules", Category: kernel, Run: modules},
		{ID: "overlayfs", Category: kernel, Run: overlay},
	}
}

func cgroupVersion(w Host) string {
	if _, err := w.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return "v2"
	}
	if _, err := w.Stat("/sys/fs/cgroup/unified"); err == nil {
		return "v1 (hybrid)"
	}
	return "v1"
}

func cgroups(_ context.Context, w Host) Result {
	if v := cgroupVersion(w); v != "v2" {
		return warn(remedy.Advicef("nothing, %s tells kubelet to accept it; or boot with systemd.unified_cgroup_hierarchy=1", remedy.Command("up")),
			"cgroup %s, which Kubernetes supports only on request", v)
	}
	return pass("cgroup v2")
}

// atLeast checks that a kernel setting has at least the needed value. The remedy recommends a larger one.
func atLeast(setting string, need, recommended int) func(context.Context, Host) Result {
	return func(_ context.Context, w Host) Result {
		path := "/proc/sys/" + strings.ReplaceAll(setting, ".", "/")
		b, err := w.ReadFile(path)
		if err != nil {
			return skip("%s is not known: %v", setting, err)
		}
		have, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			return skip("%s is not a number: %q", setting, b)
		}
		if have < need {
			return fail(remedy.Shell("sudo", "sysctl", "-w", setting+"="+strconv.Itoa(recommended)), "%s is %d, and %d is needed", setting, have, need)
		}
		return pass("%s is %d", setting, have)
	}
}

// ipForward checks a setting of the host's network, which a node of rootless podman does not use.
func ipForward(ctx context.Context, w Host) Result {
	if w.Engine == "podman" && w.Getuid() != 0 {
		return pass("not needed of the host: rootless podman gives the node a network of its own")
	}
	return atLeast("net.ipv4.ip_forward", 1, 1)(ctx, w)
}

func modules(_ context.Context, w Host) Result {
	if _, err := w.Stat("/lib/modules"); err != nil {
		if w.Getuid() == 0 && errors.Is(err, fs.ErrNotExist) {
			return pass("/lib/modules is missing; it is created together with the sandbox")
		}
		return fail(remedy.Advice("sudo mkdir -p /lib/modules"), "/lib/modules is missing, so the node cannot mount it")
	}
	return pass("/lib/modules exists")
}

func overlay(_ context.Context, w Host) Result {
	b, err := w.ReadFile("/proc/filesystems")
	if err != nil {
		return skip("the kernel's file systems are not known: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == "overlay" {
			return pass("the kernel has overlayfs")
		}
	}
	return warn(remedy.Advice("sudo modprobe overlay"), "the kernel shows no overlayfs: images take more time and disk")
}

// field returns the first word after key in a file of lines such as /proc/meminfo, or an empty string.
func field(w Host, path, key string) string {
	b, err := w.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				return f[0]
			}
		}
	}
	return ""
}
