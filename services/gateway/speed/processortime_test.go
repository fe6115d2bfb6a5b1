//go:build linux

package speed

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// nginxProcesses returns the ids of nginx's processes: the master and its workers.
func nginxProcesses(folder string) (ids []int, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "nginx.pid"))
	if err != nil {
		return nil, err
	}
	master := strings.TrimSpace(string(text))
	children, err := os.ReadFile(filepath.Join("/proc", master, "task", master, "children"))
	if err != nil {
		return nil, err
	}
	for _, field := range append(strings.Fields(string(children)), master) {
		id, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// processorTime returns the time of processors that processes have used, from the clock that Linux has for each. The ticks in /proc/PID/stat are too
// coarse for a short block.
func processorTime(ids ...int) (sum time.Duration, err error) {
	for _, id := range ids {
		// MAKE_PROCESS_CPUCLOCK(id, CPUCLOCK_SCHED) of the kernel's posix-timers.h.
		clock := ^int32(id)<<3 | 2 //nolint:gosec // ids have at most 22 bits
		var used unix.Timespec
		if err := unix.ClockGettime(clock, &used); err != nil {
			return 0, fmt.Errorf("reading the time of process %d: %w", id, err)
		}
		sum += time.Duration(used.Nano())
	}
	return sum, nil
}
