package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

// world is what a verb may touch of the process it runs in.
type world struct {
	stdin          *os.File
	stdout, stderr io.Writer
	getenv         func(string) string
	getuid         func() int
}

// The exit codes.
const (
	exitDone        = 0
	exitNotHeld     = 1
	exitUsage       = 2
	exitEnvironment = 3
	exitAborted     = 4
	exitLeft        = 5
	exitInterrupted = 130
)

// codedError is an error with the exit code it leads to; a nil err means that everything has been said.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}
func (e *codedError) Unwrap() error { return e.err }

// verdictError is what a run says next to its verdict. Its exit code stands also when the command was interrupted during the clean-up.
type verdictError struct{ error }

func (e *verdictError) Unwrap() error { return e.error }

// usageError is a wrong command line, and what would have been accepted.
func usageError(fix remedy.Remedy, format string, args ...any) error {
	return &codedError{code: exitUsage, err: remedy.Errorf(fix, format, args...)}
}

// seeHelp is the remedy for words that a command does not understand.
func seeHelp(cmd *cobra.Command) remedy.Remedy { return remedy.Advice(cmd.CommandPath() + " --help") }

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, w world) int {
	klog.SetLogger(logr.Discard()) // client-go logs what it also returns as errors
	root := newRoot(w)
	root.SetArgs(args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	return exitCode(ctx, w, root, root.ExecuteContext(ctx))
}

// exitCode prints an error, if it has not been printed, and returns the exit code that it leads to.
func exitCode(ctx context.Context, w world, root *cobra.Command, err error) int {
	var coded *codedError
	var verdict *verdictError
	said := errors.As(err, &coded) && (coded.err == nil || errors.As(err, &verdict))
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && !said: // whatever the interruption made of it
		printError(w, root, "sandbox: interrupted:", err)
		return exitInterrupted
	case coded != nil:
		if coded.err != nil {
			printError(w, root, "sandbox:", err)
		}
		return coded.code
	}
	printError(w, root, "sandbox:", err)
	return exitEnvironment
}

// printError prints an error and, below it, its remedies for the sandbox that was asked for.
func printError(w world, root *cobra.Command, prefix string, err error) {
	g := &globals{name: root.PersistentFlags().Lookup("name").Value.String()}
	g.printError(w, prefix, err)
}

// printError prints an error and, below it, its remedies.
func (g *globals) printError(w world, prefix string, err error) {
	fmt.Fprintln(w.stderr, prefix, err)
	for _, r := range remedy.Of(err) {
		for _, line := range r.Lines(g.commandLine) {
			fmt.Fprintln(w.stderr, line)
		}
	}
}

// globals are the flags that every verb knows.
type globals struct {
	name   string
	engine string
	source string
	output string
}

// check refuses values that every verb would stumble over later, each in its own way.
func (g *globals) check() error {
	if err := sandbox.CheckName(g.name); err != nil {
		return &codedError{exitUsage, err}
	}
	if engines := cluster.EngineNames(); g.engine != "" && !slices.Contains(engines, g.engine) {
		return usageError(remedy.Flag("engine", engines[0]), "--engine %q is none of %s", g.engine, strings.Join(engines, ", "))
	}
	return nil
}

func newRoot(w world) *cobra.Command {
	g := &globals{}
	root := &cobra.Command{
		Use:           "sandbox",
		Short:         "A local gRPC platform that you may break on purpose",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return g.check()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return badUsage(cmd, err, nil)
	})
	flags := root.PersistentFlags()
	flags.StringVar(&g.name, "name", sandbox.DefaultName, "which sandbox")
	flags.StringVar(&g.engine, "engine", "", "container engine: docker, podman or nerdctl (default: the first that works)")
	flags.StringVar(&g.source, "source", w.getenv("SANDBOX_SOURCE"), "a checkout of this project, to build images from (default: found from the working folder)")
	root.AddCommand(
		newUp(w, g), newDown(w, g), newStatus(w, g), newDoctor(w, g), newAudit(w, g), newRun(w, g), newUndo(w, g), newWatch(w, g), newScenarios(w, g),
		newCall(w, g), newChat(w, g), newContracts(w, g), newOpen(w, g), newImages(w, g), newLogs(w, g), newCerts(w, g), newVersion(w, g), newMan(),
	)
	addHelp(root)
	completeWords(root)
	badArgsAreUsage(root)
	return root
}

// addHelp adds cobra's own commands early, so that their wrong arguments are treated as those of ours.
func addHelp(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			c.Args = func(cmd *cobra.Command, topic []string) error {
				found, rest, err := root.Find(topic)
				if err == nil && len(rest) > 0 {
					return badUsage(found, fmt.Errorf("unknown command %q for %q", rest[0], found.CommandPath()), rest)
				}
				return err
			}
		}
	}
}

// badArgsAreUsage makes wrong arguments of c and its subcommands exit with code 2 and a pointer to the help.
func badArgsAreUsage(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var coded *codedError
		if err == nil || errors.As(err, &coded) {
			return err
		}
		return badUsage(cmd, err, args)
	}
	for _, sub := range c.Commands() {
		badArgsAreUsage(sub)
	}
}

// outputFlag adds -o to a verb that prints data.
func outputFlag(cmd *cobra.Command, g *globals) {
	cmd.Flags().StringVarP(&g.output, "output", "o", "table", "output: table or json")
}

func (g *globals) asJSON() (bool, error) {
	switch g.output {
	case "json":
		return true, nil
	case "table":
		return false, nil
	}
	return false, usageError(remedy.Advice("-o json"), "--output %q is neither table nor json", g.output)
}

// stateFolder is below XDG_STATE_HOME or HOME; without both, next to the sandboxes, none of which has a name with a dot.
func (w world) stateFolder(config string) string {
	if dir := w.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sandbox")
	}
	if home := w.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "sandbox")
	}
	return filepath.Join(config, ".state")
}

// folders are where the sandbox keeps its files. A relative path in an XDG variable is ignored, as the XDG Base Directory Specification demands.
func (w world) folders() (sandbox.Folders, error) {
	home := w.getenv("HOME")
	pick := func(env, fallback string) (string, error) {
		if dir := w.getenv(env); filepath.IsAbs(dir) {
			return filepath.Join(dir, "sandbox"), nil
		}
		if !filepath.IsAbs(home) {
			return "", remedy.New("finding the folder for the sandbox's files: neither "+env+" nor HOME is an absolute path",
				remedy.Advice("export HOME with the path of your home folder"))
		}
		return filepath.Join(home, fallback, "sandbox"), nil
	}
	config, err := pick("XDG_CONFIG_HOME", ".config")
	if err != nil {
		return sandbox.Folders{}, err
	}
	cache, err := pick("XDG_CACHE_HOME", ".cache")
	return sandbox.Folders{Config: config, Cache: cache, State: w.stateFolder(config)}, err
}

// openCluster connects to the sandbox that was asked for.
func openCluster(ctx context.Context, w world, g *globals) (*live.Cluster, error) {
	folders, err := w.folders()
	if err != nil {
		return nil, err
	}
	return live.Open(ctx, folders, g.name)
}
