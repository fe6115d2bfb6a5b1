package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// network is the engine network of one cluster. Each cluster has its own, so that removing it harms no other.
func (c Cluster) network() string { return "sandbox-" + c.Name }

// marker is the volume that exists while the cluster is being created.
func (c Cluster) marker() string { return "sandbox-" + c.Name + "-creating" }

// Claim creates the marker and the network of a cluster that is about to be created, labelled with their owner. There must be neither yet.
func (c Cluster) Claim(ctx context.Context, o Owner) error {
	if _, err := c.Engine.Run(ctx, append(append([]string{"volume", "create"}, o.flags()...), c.marker())...); err != nil {
		return fmt.Errorf("marking the cluster as being created: %w", err)
	}
	o.Process = ""
	if err := c.createNetwork(ctx, o); err != nil {
		return fmt.Errorf("creating the cluster's network: %w", err)
	}
	return nil
}

// Whole removes the marker: the cluster is complete.
func (c Cluster) Whole(ctx context.Context) error {
	if err := c.remove(ctx, "volume", c.marker()); err != nil {
		return fmt.Errorf("removing the mark of a cluster that is being created: %w", err)
	}
	return nil
}

// subnetAttempts is how many IPv6 subnets are tried before the network is refused.
const subnetAttempts = 5

// createNetwork creates the network as kind would, with labels in addition: a bridge with IPv6 where the engine has it, in a subnet that no other
// network uses, with the MTU of the engine's default network.
func (c Cluster) createNetwork(ctx context.Context, o Owner) error {
	args := append([]string{"network", "create", "-d=bridge"}, o.flags()...)
	if c.Engine.Name == "docker" {
		args = append(args, "-o", "com.docker.network.bridge.enable_ip_masquerade=true")
	}
	if mtu := c.defaultMTU(ctx); mtu > 0 {
		args = append(args, "-o", fmt.Sprintf("com.docker.network.driver.mtu=%d", mtu))
	}
	create := func(more ...string) error {
		_, err := c.Engine.Run(ctx, append(append(args[:len(args):len(args)], more...), c.network())...)
		return err
	}
	var err error
	for attempt := range subnetAttempts {
		err = create("--ipv6", "--subnet", subnet(c.network(), attempt))
		switch {
		case err == nil:
			return nil
		case noIPv6(err):
			return create()
		case !overlaps(err):
			return err
		}
	}
	return err
}

// defaultMTU is the MTU of docker's and nerdctl's default network; 0 where it has none, or where the engine is podman, which has no such option.
func (c Cluster) defaultMTU(ctx context.Context) int {
	if c.Engine.Name == "podman" {
		return 0
	}
	out, err := c.Engine.Run(ctx, "network", "inspect", "bridge", "-f", `{{ index .Options "com.docker.network.driver.mtu" }}`)
	if err != nil {
		return 0
	}
	mtu, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0
	}
	return mtu
}

// subnet is the IPv6 subnet that a network of this name tries as its n-th: a /64 of the range for private use, always the same for one name.
func subnet(name string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", name, n))
	address := [16]byte{0xfd}
	copy(address[1:8], sum[:])
	return netip.PrefixFrom(netip.AddrFrom16(address), 64).String()
}

// noIPv6 reports that the engine, or the machine, has no IPv6.
func noIPv6(err error) bool {
	return says(err, "unknown flag: --ipv6", "is ipv6 enabled in the kernel", "Cannot read IPv6 setup for bridge",
		"Unable to enable NAT rule:  (iptables failed: ip6tables", "setting default policy to DROP in FORWARD chain failed:  (iptables failed: ip6tables")
}

// overlaps reports that another network has the subnet.
func overlaps(err error) bool {
	return says(err, "Pool overlaps with other one", "networks have overlapping", "is already used on the host or by another config",
		"is being used by a network interface", "is already being used by a cni configuration")
}

func says(err error, any ...string) bool {
	for _, text := range any {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// remove removes a network or a volume; one that is gone already is no error.
func (c Cluster) remove(ctx context.Context, kind, name string) error {
	verb := []string{kind, "rm", name}
	if kind == "volume" {
		verb = []string{kind, "rm", "-f", name}
	}
	if _, err := c.Engine.Run(ctx, verb...); err != nil && !gone(err, kind) {
		return err
	}
	return nil
}
