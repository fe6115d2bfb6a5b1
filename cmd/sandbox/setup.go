package main

import (
	"bufio"
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

	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/child"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// setUpEngine is the engine that --setup installs, and enginePackages are what it needs to run a node.
const setUpEngine = "podman"

var enginePackages = []string{setUpEngine, "runc", "netavark", "aardvark-dns", "iptables"}

// setUp installs an engine that works and what building images needs, with the system's package manager.
func setUp(ctx context.Context, w world, g *globals, f upFlags) error {
	packages, err := missingPackages(ctx, w, g)
	if err != nil {
		return err
	}
	if f.forTests && !hasPostgres() {
		packages = append(packages, "postgresql")
	}
	if len(packages) == 0 {
		fmt.Fprintln(w.stderr, "set-up: nothing is missing")
		return nil
	}
	m := machine{apt: has("apt-get"), root: w.getuid() == 0, terminal: w.stdin != nil && term.IsTerminal(int(w.stdin.Fd()))}
	fmt.Fprintf(w.stderr, "set-up: will run `%s`\n", aptCommand("", packages))
	if err := m.permits(packages); err != nil {
		return err
	}
	if m.terminal && !f.yes {
		if err := confirm(ctx, w.stdin, w.stderr); err != nil {
			return err
		}
	}
	return install(ctx, w, packages)
}

// machine is what installing packages depends on.
type machine struct{ apt, root, terminal bool }

// permits says why packages cannot be installed here, and who can.
func (m machine) permits(packages []string) error {
	switch {
	case !m.apt:
		return &codedError{exitEnvironment, remedy.New("this system has no apt-get",
			remedy.Advicef("install %s yourself, then run `%s`", strings.Join(packages, ", "), remedy.Command("up")))}
	case !m.root:
		return &codedError{exitEnvironment, remedy.New("installing packages needs root", remedy.Advice(aptCommand("sudo ", packages)))}
	}
	return nil
}

// confirm asks, and returns an error unless the answer is yes. A read cannot be interrupted, so it ends with the process.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	fmt.Fprint(out, "go on? [y/N] ")
	answered := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(in).ReadString('\n')
		answered <- answer
	}()
	select {
	case answer := <-answered:
		if strings.EqualFold(strings.TrimSpace(answer), "y") {
			return nil
		}
	case <-ctx.Done():
		fmt.Fprintln(out)
		return fmt.Errorf("asking: %w", ctx.Err())
	}
	return &codedError{exitEnvironment, remedy.New("not installed, as you said",
		remedy.Advicef("install the packages above yourself, then run `%s`", remedy.Command("up")))}
}

// missingPackages names what this machine lacks.
func missingPackages(ctx context.Context, w world, g *globals) ([]string, error) {
	folders, err := w.folders()
	if err != nil {
		return nil, err
	}
	if _, err := sandbox.PrepareEngines(folders); err != nil {
		return nil, err
	}
	choice, err := cluster.Choose(ctx, g.engine, func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) })
	if errors.Is(err, cluster.ErrNoEngine) && g.engine != "" && g.engine != setUpEngine {
		return nil, noEngine(err, w, g, false)
	}
	if choice.Why != "" {
		fmt.Fprintln(w.stderr, "set-up:", choice.Why)
	}
	return lacking(err, has)
}

// lacking names the packages of an engine, when engine says that none works, and debootstrap, when there is none.
func lacking(engine error, has func(program string) bool) ([]string, error) {
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

// hasPostgres says whether the tests will find a server; Debian keeps its programs out of PATH.
func hasPostgres() bool {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	return len(found) > 0 || has("initdb")
}

func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// noEngine adds the command that gives this machine an engine to an error that says that none works; other errors stay as they are.
// After --setup did what it can, only the machine itself can be at fault.
func noEngine(err error, w world, g *globals, afterSetup bool) error {
	switch {
	case !errors.Is(err, cluster.ErrNoEngine):
		return err
	case afterSetup:
		return remedy.Wrap(err, remedy.Command("doctor"))
	case g.engine != "" && g.engine != setUpEngine:
		return remedy.Wrap(err, remedy.Command("up", "--setup", "--engine", setUpEngine))
	}
	command := remedy.Command("up", "--setup")
	if g.engine != "" {
		command = remedy.Command("up", "--setup", "--engine", g.engine)
	}
	packages, err2 := lacking(err, has)
	if err2 != nil || !has("apt-get") {
		return remedy.Wrap(err, command)
	}
	return remedy.Wrap(err, command.Runs(aptCommand(w.sudo(), packages)))
}

// noProgram adds to an error that says that building an image lacks a program the command by which --setup would install it.
func noProgram(err error, w world) error {
	var missing *images.MissingError
	if !errors.As(err, &missing) || !has("apt-get") {
		return err
	}
	packages, err2 := lacking(nil, has)
	if err2 != nil || !slices.Contains(packages, missing.Program) {
		return err
	}
	return remedy.Wrap(err, remedy.Command("up", "--setup").Runs(aptCommand(w.sudo(), packages)))
}

// sudo goes before what only root may do.
func (w world) sudo() string {
	if w.getuid() == 0 {
		return ""
	}
	return "sudo "
}

// command is a command line for the sandbox that is meant.
func (g *globals) command(verb string) string {
	return g.commandLine(strings.Fields(verb))
}

// commandLine renders a command of this program for the sandbox that is meant, quoted so that it can be pasted into a shell.
func (g *globals) commandLine(args []string) string {
	line := "sandbox " + remedy.Quote(args...)
	if g.name == sandbox.DefaultName || slices.Contains(args, "--name") {
		return line
	}
	return line + " --name " + g.name
}

func aptCommand(sudo string, packages []string) string {
	return fmt.Sprintf("%[1]sapt-get update && %[1]sapt-get install --no-install-recommends %s", sudo, strings.Join(packages, " "))
}

// aptGrace is how long apt may take to end what it is at: a package that is half configured keeps every later one from being installed.
const aptGrace = time.Minute

func install(ctx context.Context, w world, packages []string) error {
	for _, args := range [][]string{{"update"}, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)} {
		var out strings.Builder
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = &out, &out
		child.InGroup(cmd, aptGrace)
		fmt.Fprintf(w.stderr, "set-up: apt-get %s …\n", args[0])
		if err := cmd.Run(); err != nil {
			return &codedError{exitEnvironment, fmt.Errorf("running apt-get %s: %w\n%s", args[0], err, out.String())}
		}
	}
	fmt.Fprintln(w.stderr, "set-up: done")
	return nil
}
