package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// The labels on every engine object that this program creates itself. kind cannot label node containers, so a node belongs to a sandbox if it is on
// the sandbox's network.
const (
	idLabel   = "sandbox.dev/id"   // the random id of the sandbox
	userLabel = "sandbox.dev/user" // the id of the user who created it
	// processLabel is on the marker only: the boot id and the process id of the `up` that creates the cluster.
	processLabel = "sandbox.dev/process"
)

// Owner identifies the sandbox that created an engine object.
type Owner struct {
	// ID is the id of the sandbox, and User the id of the user of this machine. Both are empty for an object without labels.
	ID   string
	User string
	// Process is set only on the marker of a cluster that is being created.
	Process string
}

func (o Owner) flags() []string {
	flags := []string{"--label", idLabel + "=" + o.ID, "--label", userLabel + "=" + o.User}
	if o.Process != "" {
		flags = append(flags, "--label", processLabel+"="+o.Process)
	}
	return flags
}

// Inventory lists the objects that an engine has under the name of a cluster.
type Inventory struct {
	// Nodes are all containers that kind labelled with the cluster's name, including those of other users.
	Nodes []Container
	// Network is nil if there is no network of the cluster's name. Its fields are empty if the network has no labels.
	Network *Owner
	// Marker is the owner of the volume that exists while the cluster is being created, or nil if there is none.
	Marker *Owner
}

// Empty reports whether the engine has no objects of this name.
func (i Inventory) Empty() bool { return len(i.Nodes) == 0 && i.Network == nil && i.Marker == nil }

// Container is one node of a kind cluster.
type Container struct {
	// ID and Name are those of the container.
	ID   string
	Name string
	// Running is false also for a container that the engine calls running although its processes are gone.
	Running bool
	// Networks are the names of the networks that the container is connected to.
	Networks []string
	volumes  []string
}

// Inventory reads which objects the engine has under the cluster's name.
func (c Cluster) Inventory(ctx context.Context) (Inventory, error) {
	var found Inventory
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		found.Nodes, err = c.containers(ctx)
		return err
	})
	group.Go(func() (err error) {
		found.Network, err = c.labelled(ctx, "network", []string{"network", "ls", "--format", "{{.Name}}"}, c.network())
		return err
	})
	group.Go(func() (err error) {
		found.Marker, err = c.labelled(ctx, "volume", []string{"volume", "ls", "--format", "{{.Name}}"}, c.marker())
		return err
	})
	if err := group.Wait(); err != nil {
		return Inventory{}, fmt.Errorf("looking for cluster %s in %s: %w", c.Name, c.Engine.Name, err)
	}
	return found, nil
}

// containers returns the nodes of every kind cluster of this name.
func (c Cluster) containers(ctx context.Context) ([]Container, error) {
	out, err := c.Engine.Run(ctx, "ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster="+c.Name)
	if err != nil {
		return nil, err
	}
	var all []Container
	for _, id := range strings.Fields(out) {
		one, err := c.inspect(ctx, id)
		// It was removed after it was listed.
		if gone(err, "container") || gone(err, "object") {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// inspected is the part of an engine's `inspect` output that all three engines share.
type inspected struct {
	Name  string
	State struct {
		Status string
		Pid    int
	}
	Mounts []struct{ Type, Name string }
	Config struct{ Labels map[string]string }

	NetworkSettings struct{ Networks map[string]json.RawMessage }
}

func (c Cluster) inspect(ctx context.Context, id string) (Container, error) {
	out, err := c.Engine.Run(ctx, "inspect", id)
	if err != nil {
		return Container{}, err
	}
	var all []inspected
	err = json.Unmarshal([]byte(out), &all)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("it lists %d containers", len(all))
	}
	if err != nil {
		return Container{}, fmt.Errorf("inspecting container %s with %s: %w", id, c.Engine.Name, err)
	}
	x := all[0]
	one := Container{ID: id, Name: strings.TrimPrefix(x.Name, "/"), Running: x.State.Status == "running" && c.runs(ctx, id, x.State.Pid)}
	for _, m := range x.Mounts {
		if m.Type == "volume" && m.Name != "" {
			one.volumes = append(one.volumes, m.Name)
		}
	}
	for network := range x.NetworkSettings.Networks {
		one.Networks = append(one.Networks, network)
	}
	// nerdctl makes up names for the networks above, and keeps the real ones in a label.
	var real []string
	if json.Unmarshal([]byte(x.Config.Labels["nerdctl/networks"]), &real) == nil {
		one.Networks = append(one.Networks, real...)
	}
	slices.Sort(one.Networks)
	return one, nil
}

// runs reports whether a container that the engine calls running has processes. Podman does not notice that a container has ended when the program
// that watches it was killed as well, for example by a machine that was short of memory.
//
// The process is looked up first, because that costs nothing. It is not visible if the engine runs in a virtual machine.
func (c Cluster) runs(ctx context.Context, id string, pid int) bool {
	if pid > 0 && ProcessRuns(pid) {
		return true
	}
	_, err := c.Engine.Run(ctx, "exec", id, "true")
	return err == nil
}

// labelled returns the owner of a network or volume, or nil if there is none of this name.
func (c Cluster) labelled(ctx context.Context, kind string, list []string, name string) (*Owner, error) {
	out, err := c.Engine.Run(ctx, list...)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(strings.Fields(out), name) {
		return nil, nil
	}
	out, err = c.Engine.Run(ctx, kind, "inspect", name)
	if gone(err, kind) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []struct{ Labels map[string]string }
	err = json.Unmarshal([]byte(out), &all)
	if err == nil && len(all) == 0 {
		err = errors.New("it lists none")
	}
	if err != nil {
		return nil, fmt.Errorf("inspecting %s %s with %s: %w", kind, name, c.Engine.Name, err)
	}
	l := all[0].Labels
	return &Owner{ID: l[idLabel], User: l[userLabel], Process: l[processLabel]}, nil
}

// Node returns the control-plane node on the cluster's own network.
func (i Inventory) Node(c Cluster) (Container, bool) {
	for _, n := range i.Nodes {
		if n.Name == c.Node() && n.On(c) {
			return n, true
		}
	}
	return Container{}, false
}

// On reports whether a container is on the network that a sandbox creates for the cluster.
func (n Container) On(c Cluster) bool { return slices.Contains(n.Networks, c.network()) }

// InstalledEngines returns the engines whose program is in PATH, in order of preference.
func InstalledEngines() []string {
	return slices.DeleteFunc(EngineNames(), func(name string) bool {
		_, err := exec.LookPath(name)
		return err != nil
	})
}
