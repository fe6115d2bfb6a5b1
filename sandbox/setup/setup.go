// Package setup installs with apt what a machine lacks to run a sandbox: a container engine, debootstrap, and for this project's own tests a
// PostgreSQL server and nginx.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/child"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// Engine is the engine that is installed when none works.
const Engine = "podman"

// enginePackages are the packages that Engine needs to run a node.
var enginePackages = []string{Engine, "runc", "netavark", "aardvark-dns", "iptables"}

// Machine has the properties of a machine on which installing packages depends.
type Machine struct {
	// Apt is true if apt-get exists.
	Apt bool
	// Root is true if this process runs as root.
	Root bool
}

// ThisMachine returns the properties of this machine.
func ThisMachine(root bool) Machine { return Machine{Apt: Has("apt-get"), Root: root} }

// Permits returns an error if packages cannot be installed here. Its remedy says who can.
func (m Machine) Permits(packages []string) error {
	switch {
	case !m.Apt:
		return remedy.New("this system has no apt-get", remedy.Advicef("install %s yourself, then run `%s`", strings.Join(packages, ", "), remedy.Command("up")))
	case !m.Root:
		return remedy.New("installing packages needs root", remedy.Advice(m.Command(packages)))
	}
	return nil
}

// Command returns the shell command that installs packages.
func (m Machine) Command(packages []string) string {
	sudo := ""
	if !m.Root {
		sudo = "sudo "
	}
	return fmt.Sprintf("%[1]sapt-get update && %[1]sapt-get install --no-install-recommends %s", sudo, strings.Join(packages, " "))
}

// Lacking returns the packages of an engine, if engine is cluster.ErrNoEngine, and debootstrap, if it does not exist. Any other engine error is
// returned.
func Lacking(engine error, has func(program string) bool) ([]string, error) {
	var packages []string
	if errors.Is(engine, cluster.ErrNoEngine) {
		packages = slices.Clone(enginePackages)
	} else if engine != nil {
		return nil, engine
	}
	if !has("debootstrap") {
		packages = append(packages, "debootstrap")
	}
	return packages, nil
}

// Has reports whether a program is in PATH.
func Has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// HasPostgres reports whether the tests will find a PostgreSQL server. Debian keeps its programs out of PATH.
func HasPostgres() bool {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	return len(found) > 0 || Has("initdb")
}

// HasNGINX reports whether the tests will find nginx, which Debian keeps out of the PATH of users.
func HasNGINX() bool {
	_, err := os.Stat("/usr/sbin/nginx")
	return err == nil || Has("nginx")
}

// grace is how long apt may take to finish after ctx ends. A package that is half configured blocks every later installation.
const grace = time.Minute

// Install installs packages and writes its progress to out. The error includes the output of apt-get.
func Install(ctx context.Context, out io.Writer, packages []string) error {
	for _, args := range [][]string{{"update"}, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)} {
		var printed strings.Builder
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		// RUNLEVEL=1 keeps Debian from starting the servers that it installs: the tests start their own.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		cmd.Stdout, cmd.Stderr = &printed, &printed
		child.InGroup(cmd, grace)
		fmt.Fprintf(out, "setup: apt-get %s …\n", args[0])
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("running apt-get %s: %w\n%s", args[0], err, printed.String())
		}
	}
	fmt.Fprintln(out, "setup: done")
	return nil
}
