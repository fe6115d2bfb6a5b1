package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Memory is what the node's cgroup is charged for, in bytes.
type Memory struct {
	// Usage is everything, with the page cache.
	Usage int64 `json:"usageBytes"`
	// WorkingSet is the usage without the page cache that was not used recently, as the kubelet counts it.
	WorkingSet int64 `json:"workingSetBytes"`
}

// memoryFiles prints the usage and then the statistics, from the paths of cgroup v2 or v1.
const memoryFiles = `cd /sys/fs/cgroup; if [ -f memory.current ]; then cat memory.current memory.stat
else cat memory/memory.usage_in_bytes memory/memory.stat; fi`

// Memory reads how much memory the whole node uses.
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

// largeFiles selects the files that are large enough to be worth a process each: those of images, and the programs of the node.
const largeFiles = `find /var/lib/containerd/io.containerd.content.v1.content /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs /usr ` +
	`-type f -size +1M `

// dropLargeFiles writes what is not on the disk yet first, because the kernel keeps it otherwise.
const dropLargeFiles = largeFiles + `-exec sync -d {} +; ` + largeFiles + `-exec dd if={} iflag=nocache count=0 status=none ';'`

// DropPageCache makes the kernel drop the page cache of what was needed only to create the cluster: the files of images, which containerd read and wrote
// once to unpack them, and programs such as kubeadm. They would be charged to the node until something else needs the memory. Pages that running programs
// have mapped stay. It does not wait for the result.
func (c Cluster) DropPageCache(ctx context.Context) error {
	if _, err := c.Engine.Run(ctx, "exec", "-d", c.Node(), "sh", "-c", dropLargeFiles); err != nil {
		return fmt.Errorf("dropping the page cache: %w", err)
	}
	return nil
}

func parseMemory(files string) (Memory, error) {
	first, stats, _ := strings.Cut(files, "\n")
	usage, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if err != nil {
		return Memory{}, err
	}
	// Version 1 has a line for the cgroup alone, and a total that includes its children. Version 2 always includes them.
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
