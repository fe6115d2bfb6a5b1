package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/setup"
)

// setUp installs a container engine, if none works, and the tools for building images with the system's package manager.
func setUp(ctx context.Context, proc process, g *globals, f upFlags) error {
	packages, err := missingPackages(ctx, proc, g)
	if err != nil {
		return err
	}
	if f.forTests && !setup.HasPostgres() {
		packages = append(packages, "postgresql")
	}
	if f.forTests && !setup.HasNGINX() {
		packages = append(packages, "nginx")
	}
	if len(packages) == 0 {
		fmt.Fprintln(proc.stderr, "setup: nothing is missing")
		return nil
	}
	m := setup.ThisMachine(proc.getuid() == 0)
	fmt.Fprintf(proc.stderr, "setup: will run `%s`\n", setup.Machine{Root: true}.Command(packages))
	if err := m.Permits(packages); err != nil {
		return &codedError{exitEnvironment, err}
	}
	if proc.stdin != nil && term.IsTerminal(int(proc.stdin.Fd())) && !f.yes {
		if err := confirm(ctx, proc.stdin, proc.stderr); err != nil {
			return err
		}
	}
	if err := setup.Install(ctx, proc.stderr, packages); err != nil {
		return &codedError{exitEnvironment, err}
	}
	return nil
}

// confirm asks for confirmation and returns an error unless the answer is yes. A read cannot be interrupted, so the goroutine may live as long as the
// process.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	fmt.Fprint(out, "continue? [y/N] ")
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
		return fmt.Errorf("waiting for confirmation: %w", ctx.Err())
	}
	return &codedError{exitEnvironment, remedy.New("installation was not confirmed",
		remedy.Advicef("install the packages above yourself, then run `%s`", remedy.Command("up")))}
}

// missingPackages returns the packages that this machine lacks.
func missingPackages(ctx context.Context, proc process, g *globals) ([]string, error) {
	folders, err := proc.folders()
	if err != nil {
		return nil, err
	}
	if _, err := sandbox.PrepareEngines(folders); err != nil {
		return nil, err
	}
	choice, err := cluster.Choose(ctx, g.engine, func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) })
	if errors.Is(err, cluster.ErrNoEngine) && g.engine != "" && g.engine != setup.Engine {
		return nil, noEngine(err, proc, g, false)
	}
	if choice.Why != "" {
		fmt.Fprintln(proc.stderr, "setup:", choice.Why)
	}
	return setup.Lacking(err, setup.Has)
}

// noEngine adds the command that installs an engine to an error that reports that none works. Other errors are returned unchanged. After --setup the
// cause must be the machine itself, so the remedy is the doctor.
func noEngine(err error, proc process, g *globals, afterSetup bool) error {
	switch {
	case !errors.Is(err, cluster.ErrNoEngine):
		return err
	case afterSetup:
		return remedy.Wrap(err, remedy.Command("doctor"))
	case g.engine != "" && g.engine != setup.Engine:
		return remedy.Wrap(err, remedy.Command("up", "--setup", "--engine", setup.Engine))
	}
	command := remedy.Command("up", "--setup")
	if g.engine != "" {
		command = remedy.Command("up", "--setup", "--engine", g.engine)
	}
	packages, err2 := setup.Lacking(err, setup.Has)
	if err2 != nil || !setup.Has("apt-get") {
		return remedy.Wrap(err, command)
	}
	return remedy.Wrap(err, command.Runs(setup.ThisMachine(proc.getuid() == 0).Command(packages)))
}

// noProgram adds the command that --setup would run to an error about a program that is missing for building an image.
func noProgram(err error, proc process) error {
	var missing *images.MissingError
	if !errors.As(err, &missing) || !setup.Has("apt-get") {
		return err
	}
	packages, err2 := setup.Lacking(nil, setup.Has)
	if err2 != nil || !slices.Contains(packages, missing.Program) {
		return err
	}
	return remedy.Wrap(err, remedy.Command("up", "--setup").Runs(setup.ThisMachine(proc.getuid() == 0).Command(packages)))
}

// command renders a command of this program, given as words separated by spaces, for the sandbox that --name selects.
func (g *globals) command(verb string) string {
	return g.commandLine(strings.Fields(verb))
}

// commandLine renders a command of this program for the sandbox that --name selects, quoted so that it can be pasted into a shell.
func (g *globals) commandLine(args []string) string {
	line := "sandbox " + remedy.Quote(args...)
	if g.name == sandbox.DefaultName || slices.Contains(args, "--name") {
		return line
	}
	return line + " --name " + g.name
}
