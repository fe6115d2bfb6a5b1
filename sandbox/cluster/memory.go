package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Memory is what the node's cgroup is charged with, in bytes.
type Memory struct {
	Usage      int64 `json:"usageBytes"`
	WorkingSet int64 `json:"workingSetBytes"` // usage less the page cache that nobody touched lately, as the kubelet counts it
}

// memoryFiles prints the usage and then the statistics, by the paths of cgroup v2 or v1.
const memoryFiles = `cd /sys/fs/cgroup; if [ -f memory.current ]; then cat memory.current memory.stat
else cat memory/memory.usage_in_bytes memory/memory.stat; fi`

// Memory asks the node how much memory all of it takes.
func (c Cluster) Memory(ctx context.Context) (Memory, error) {
	out, err := c.Engine.Run(ctx, "exec", c.Node(), "sh", "-c", memoryFiles)
	if err != nil {
		return Memory{}, fmt.Errorf("reading the node's memory: %w", err)
	}
	m, err := parseMemory(out)
	if err != nil {
		return Memory{}, fmt.Errorf("reading the node's memory: %w", err)
	}
	return m, nil
}

// largeFiles are the files of images that are worth a process each.
const largeFiles = `find /var/lib/containerd/io.containerd.content.v1.content /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs ` +
	`-type f -size +1M -exec dd if={} iflag=nocache count=0 status=none ';'`

// ForgetImages lets the node give back the page cache of the images' files, which containerd read and wrote once to unpack them and the node
// would be charged for until something else wants the memory. What running programs have mapped stays. It does not wait for the end.
func (c Cluster) ForgetImages(ctx context.Context) error {
	if _, err := c.Engine.Run(ctx, "exec", "-d", c.Node(), "sh", "-c", largeFiles); err != nil {
		return fmt.Errorf("giving back the page cache of images: %w", err)
	}
	return nil
}

func parseMemory(files string) (Memory, error) {
	first, stats, _ := strings.Cut(files, "\n")
	usage, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if err != nil {
		return Memory{}, err
	}
	// Version 1 has a line for the cgroup alone, and a total that includes those below it; version 2 always includes them.
	inactive := map[string]int64{}
	for line := range strings.Lines(stats) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(key, "inactive_file") {
			if inactive[key], err = strconv.ParseInt(value, 10, 64); err != nil {
				return Memory{}, err
			}
		}
	}
	idle, below := inactive["total_inactive_file"]
	if !below {
		idle = inactive["inactive_file"]
	}
	return Memory{Usage: usage, WorkingSet: max(0, usage-idle)}, nil
}
