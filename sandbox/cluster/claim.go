package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// network returns the name of the engine network of the cluster. Each cluster has its own, so that removing one cluster does not affect another.
func (c Cluster) network() string { return "sandbox-" + c.Name }

// marker returns the name of the volume that exists while the cluster is being created.
func (c Cluster) marker() string { return "sandbox-" + c.Name + "-creating" }

// Claim creates the marker and the network of a cluster that is about to be created, labelled with their owner. It fails if either exists.
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

// Whole removes the marker, because the cluster is complete.
func (c Cluster) Whole(ctx context.Context) error {
	if err := c.remove(ctx, "volume", c.marker()); err != nil {
		return fmt.Errorf("removing the mark of a cluster that is being created: %w", err)
	}
	return nil
}

// subnetAttempts is how many IPv6 subnets are tried before createNetwork fails.
const subnetAttempts = 5

// createNetwork creates the network as kind would, with our labels added: a bridge, with IPv6 if the engine supports it, in a subnet that no other
// network uses, and with the MTU of the engine's default network.
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

// defaultMTU returns the MTU of the default network of docker or nerdctl. It returns 0 if none is set, and for podman, which has no such option.
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

// subnet returns the n-th IPv6 subnet to try for a network of this name. It is a /64 of the private range, and the same for every call with the
// same arguments.
func subnet(name string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", name, n))
	address := [16]byte{0xfd}
	copy(address[1:8], sum[:])
	return netip.PrefixFrom(netip.AddrFrom16(address), 64).String()
}

// noIPv6 reports whether the error says that the engine or the machine has no IPv6.
func noIPv6(err error) bool {
	return errorContains(err, "unknown flag: --ipv6", "is ipv6 enabled in the kernel", "Cannot read IPv6 setup for bridge",
		"Unable to enable NAT rule:  (iptables failed: ip6tables", "setting default policy to DROP in FORWARD chain failed:  (iptables failed: ip6tables")
}

// overlaps reports whether the error says that another network uses the subnet.
func overlaps(err error) bool {
	return errorContains(err, "Pool overlaps with other one", "networks have overlapping", "is already used on the host or by another config",
		"is being used by a network interface", "is already being used by a cni configuration")
}

func errorContains(err error, any ...string) bool {
	for _, text := range any {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// remove removes a network or a volume. It is not an error if the object does not exist.
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
