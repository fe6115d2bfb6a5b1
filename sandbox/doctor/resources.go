package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const resources = "resources"

// The requirements of the sandbox, in bytes and open files.
const (
	gigabyte    = 1_000_000_000
	memoryTotal = 4 * gigabyte
	// memoryAvailable is the memory that the whole sandbox uses.
	memoryAvailable = 2 * gigabyte
	diskFree        = 10 * gigabyte
	// memorySpare is the memory that a running sandbox may need in addition.
	memorySpare = gigabyte / 2
	// diskSpare is the same for the disk, which already contains the images and the node.
	diskSpare   = gigabyte
	filesNeeded = 4096
	filesWanted = 65536
)

func resourceChecks() []Check {
	return []Check{
		{ID: "memory-total", Category: resources, Run: totalMemory},
		{ID: "memory-available", Category: resources, Run: availableMemory},
		{ID: "disk-cache", Category: resources, Run: diskCache},
		{ID: "disk-engine", Category: resources, Run: diskEngine},
		{ID: "open-files", Category: resources, Run: openFiles},
	}
}

func totalMemory(_ context.Context, w Host) Result {
	total, ok := kilobytes(w, "MemTotal:")
	if !ok {
		return skip("the memory is not known: /proc/meminfo has no value")
	}
	what := "memory"
	if limit, ok := memoryLimit(w); ok && limit < total {
		total, what = limit, "memory allowed by the cgroup"
	}
	if total < memoryTotal {
		return fail(remedy.Advice("give the machine, or the container this runs in, 4 GB or more"),
			"%s of %s, and %s are needed", size(total), what, size(memoryTotal))
	}
	return pass("%s of %s", size(total), what)
}

func availableMemory(_ context.Context, w Host) Result {
	available, ok := kilobytes(w, "MemAvailable:")
	if !ok {
		return skip("the free memory is not known: /proc/meminfo has no value")
	}
	switch {
	case w.Cluster != nil && available < memorySpare:
		return warn(remedy.Advice("close programs, until free shows 0.5 GB available"),
			"%s of memory available in addition to the running sandbox", size(available))
	case w.Cluster == nil && available < memoryAvailable:
		return warn(remedy.Advice("close programs, until free shows 2 GB available"),
			"%s of memory available, and the sandbox takes %s", size(available), size(memoryAvailable))
	}
	return pass("%s of memory available", size(available))
}

// kilobytes reads a line of /proc/meminfo and returns bytes.
func kilobytes(w Host, key string) (uint64, bool) {
	kib, err := strconv.ParseUint(field(w, "/proc/meminfo", key), 10, 64)
	return kib * 1024, err == nil
}

// memoryLimit returns the limit of the cgroup if this runs in a container that has one.
func memoryLimit(w Host) (uint64, bool) {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := w.ReadFile(path); err == nil {
			limit, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
			// "max" means no limit.
			return limit, err == nil
		}
	}
	return 0, false
}

func diskCache(_ context.Context, w Host) Result {
	if w.CacheDir == "" {
		return skip("the image cache has no place yet")
	}
	return room(w, "image cache", w.CacheDir, emptyCache(w))
}

func diskEngine(ctx context.Context, w Host) Result {
	if w.EngineStorage == nil {
		return skip("no engine that works, so no storage of one")
	}
	dir, err := w.EngineStorage(ctx)
	if err == nil && dir == "" {
		err = errors.New("an empty answer")
	}
	if err != nil {
		return warn(remedy.Advice("see: "+w.Engine+" info"), "%s does not report where it keeps its images: %v", w.Engine, err)
	}
	// Docker Desktop and an engine at DOCKER_HOST report a folder of their own machine. On this one every folder has a parent with some space.
	if _, err := w.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return skip("the engine's storage, %s, is not on this machine", dir)
	}
	return room(w, "engine's storage", dir, remedy.Shell(w.Engine, "system", "prune"))
}

// room checks the free space in dir. The fix frees some.
func room(w Host, what, dir string, fix remedy.Remedy) Result {
	free, err := w.DiskFree(dir)
	if err != nil {
		return warn(remedy.Shell("df", "-h", dir), "the disk space for the %s is not known: %v", what, err)
	}
	needed := uint64(diskFree)
	if w.Cluster != nil {
		needed = diskSpare
	}
	if free < needed {
		return fail(fix, "%s free for the %s in %s, and %s are needed", size(free), what, dir, size(needed))
	}
	return pass("%s free for the %s", size(free), what)
}

func openFiles(_ context.Context, w Host) Result {
	hard, err := w.Nofile()
	switch {
	case err != nil:
		return skip("the limit of open files is not known: %v", err)
	case hard < filesNeeded:
		return fail(remedy.Advice("raise nofile in /etc/security/limits.conf to 65536, and log in again"),
			"a process may open %d files, and %d are needed", hard, filesNeeded)
	case hard < filesWanted:
		return warn(remedy.Advice("raise nofile in /etc/security/limits.conf to 65536, and log in again"),
			"a process may open %d files; under load %d are better", hard, filesWanted)
	}
	return pass("a process may open %d files", hard)
}

func size(bytes uint64) string { return fmt.Sprintf("%.1f GB", float64(bytes)/gigabyte) }
