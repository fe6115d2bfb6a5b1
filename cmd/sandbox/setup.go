package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// setUp installs an engine that works and what building images needs, with the system's package manager.
func setUp(ctx context.Context, w world, yes bool) error {
	packages, err := missingPackages(ctx, w)
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		fmt.Fprintln(w.stderr, "set-up: nothing is missing")
		return nil
	}
	const how = "apt-get install --no-install-recommends"
	fmt.Fprintf(w.stderr, "set-up: will run `%s %s`\n", how, strings.Join(packages, " "))
	if _, err := exec.LookPath("apt-get"); err != nil {
		return &codedError{exitEnvironment, fmt.Errorf("this system has no apt-get\ntry: install %s yourself, then run `sandbox up`", strings.Join(packages, ", "))}
	}
	if os.Getuid() != 0 {
		return &codedError{exitEnvironment, fmt.Errorf("installing packages needs root\ntry: sudo %s %s", how, strings.Join(packages, " "))}
	}
	if !yes && term.IsTerminal(int(w.stdin.Fd())) && !confirmed(w) {
		return &codedError{exitEnvironment, errors.New("not installed, as you said\ntry: install the packages above yourself, then run `sandbox up`")}
	}
	return install(ctx, w, packages)
}

func confirmed(w world) bool {
	fmt.Fprint(w.stderr, "go on? [y/N] ")
	answer, _ := bufio.NewReader(w.stdin).ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(answer), "y")
}

// missingPackages names what this machine lacks: Podman, when no engine works, and debootstrap.
func missingPackages(ctx context.Context, w world) ([]string, error) {
	folders, err := w.folders()
	if err != nil {
		return nil, err
	}
	if _, err := sandbox.PrepareEngines(folders); err != nil {
		return nil, err
	}
	var packages []string
	choice, err := cluster.Choose(ctx, "", func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) })
	switch {
	case errors.Is(err, cluster.ErrNoEngine):
		packages = append(packages, "podman", "runc", "netavark", "aardvark-dns", "iptables")
	case err != nil:
		return nil, err
	case choice.Why != "":
		fmt.Fprintln(w.stderr, "set-up:", choice.Why)
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		packages = append(packages, "debootstrap")
	}
	return packages, nil
}

func install(ctx context.Context, w world, packages []string) error {
	for _, args := range [][]string{{"update"}, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)} {
		var out strings.Builder
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = &out, &out
		fmt.Fprintf(w.stderr, "set-up: apt-get %s …\n", args[0])
		if err := cmd.Run(); err != nil {
			return &codedError{exitEnvironment, fmt.Errorf("running apt-get %s: %w\n%s", args[0], err, out.String())}
		}
	}
	fmt.Fprintln(w.stderr, "set-up: done")
	return nil
}
