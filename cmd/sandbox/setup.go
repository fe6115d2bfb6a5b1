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

// setUp installs an engine that works and what building images needs, with the system's package manager.
func setUp(ctx context.Context, w world, g *globals, f upFlags) error {
	packages, err := missingPackages(ctx, w, g)
	if err != nil {
		return err
	}
	if f.forTests && !setup.HasPostgres() {
		packages = append(packages, "postgresql")
	}
	if len(packages) == 0 {
		fmt.Fprintln(w.stderr, "set-up: nothing is missing")
		return nil
	}
	m := setup.ThisMachine(w.getuid() == 0)
	fmt.Fprintf(w.stderr, "set-up: will run `%s`\n", setup.Machine{Root: true}.Command(packages))
	if err := m.Permits(packages); err != nil {
		return &codedError{exitEnvironment, err}
	}
	if w.stdin != nil && term.IsTerminal(int(w.stdin.Fd())) && !f.yes {
		if err := confirm(ctx, w.stdin, w.stderr); err != nil {
			return err
		}
	}
	if err := setup.Install(ctx, w.stderr, packages); err != nil {
		return &codedError{exitEnvironment, err}
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
	if errors.Is(err, cluster.ErrNoEngine) && g.engine != "" && g.engine != setup.Engine {
		return nil, noEngine(err, w, g, false)
	}
	if choice.Why != "" {
		fmt.Fprintln(w.stderr, "set-up:", choice.Why)
	}
	return setup.Lacking(err, setup.Has)
}

// noEngine adds the command that gives this machine an engine to an error that says that none works; other errors stay as they are.
// After --setup did what it can, only the machine itself can be at fault.
func noEngine(err error, w world, g *globals, afterSetup bool) error {
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
	return remedy.Wrap(err, command.Runs(setup.ThisMachine(w.getuid() == 0).Command(packages)))
}

// noProgram adds to an error that says that building an image lacks a program the command by which --setup would install it.
func noProgram(err error, w world) error {
	var missing *images.MissingError
	if !errors.As(err, &missing) || !setup.Has("apt-get") {
		return err
	}
	packages, err2 := setup.Lacking(nil, setup.Has)
	if err2 != nil || !slices.Contains(packages, missing.Program) {
		return err
	}
	return remedy.Wrap(err, remedy.Command("up", "--setup").Runs(setup.ThisMachine(w.getuid() == 0).Command(packages)))
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
