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
	"google.golang.org/grpc"
	"k8s.io/klog/v2"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

// process is the part of the operating-system process that commands may use. Tests replace it.
type process struct {
	stdin          *os.File
	stdout, stderr io.Writer
	getenv         func(string) string
	getuid         func() int
	// slow is closed if the command takes long to stop after Ctrl-C. It may be nil.
	slow <-chan struct{}
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

// codedError is an error with the exit code that it leads to. A nil err means that everything has been printed.
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

// verdictError is the error of a run that has a verdict. Its exit code is kept even if the command was interrupted during the clean-up.
type verdictError struct{ error }

func (e *verdictError) Unwrap() error { return e.error }

// usageError returns the error for a wrong command line, with a remedy that would have been accepted.
func usageError(fix remedy.Remedy, format string, args ...any) error {
	return &codedError{code: exitUsage, err: remedy.Errorf(fix, format, args...)}
}

// seeHelp returns the remedy for arguments that a command does not know.
func seeHelp(cmd *cobra.Command) remedy.Remedy { return remedy.Advice(cmd.CommandPath() + " --help") }

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, proc process) int {
	// client-go logs errors that it also returns.
	klog.SetLogger(logr.Discard())
	root := newRoot(proc)
	root.SetArgs(args)
	root.SetIn(proc.stdin)
	root.SetOut(proc.stdout)
	root.SetErr(proc.stderr)
	defer explainSlowStop(root, proc)()
	return exitCode(ctx, proc, root, root.ExecuteContext(ctx))
}

// exitCode prints an error, if it has not been printed, and returns the exit code that it leads to.
func exitCode(ctx context.Context, proc process, root *cobra.Command, err error) int {
	var coded *codedError
	var verdict *verdictError
	printed := errors.As(err, &coded) && (coded.err == nil || errors.As(err, &verdict))
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && !printed:
		// The error is a consequence of the interruption, whatever its type.
		printError(proc, root, "sandbox: interrupted:", err)
		return exitInterrupted
	case coded != nil:
		if coded.err != nil {
			printError(proc, root, "sandbox:", err)
		}
		return coded.code
	}
	printError(proc, root, "sandbox:", err)
	return exitEnvironment
}

// printError prints an error and, below it, its remedies for the sandbox that --name selects.
func printError(proc process, root *cobra.Command, prefix string, err error) {
	globalsOf(root).printError(proc, prefix, err)
}

// globalsOf returns the flags that select the sandbox, as far as they are parsed.
func globalsOf(root *cobra.Command) *globals {
	return &globals{name: root.PersistentFlags().Lookup("name").Value.String()}
}

// printError prints an error and, below it, its remedies.
func (g *globals) printError(proc process, prefix string, err error) {
	fmt.Fprintln(proc.stderr, prefix, err)
	for _, r := range remedy.Of(err) {
		for _, line := range r.Lines(g.commandLine) {
			fmt.Fprintln(proc.stderr, line)
		}
	}
}

// globals are the flags of every command.
type globals struct {
	name   string
	engine string
	source string
	output string
}

// check validates the flags once, before any command uses them.
func (g *globals) check() error {
	if err := sandbox.CheckName(g.name); err != nil {
		return &codedError{exitUsage, err}
	}
	if engines := cluster.EngineNames(); g.engine != "" && !slices.Contains(engines, g.engine) {
		return usageError(remedy.Flag("engine", engines[0]), "--engine %q: want one of %s", g.engine, strings.Join(engines, ", "))
	}
	return nil
}

func newRoot(proc process) *cobra.Command {
	g := &globals{}
	root := &cobra.Command{
		Use:           "sandbox",
		Short:         "A local gRPC platform that you can break on purpose",
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
	flags.StringVar(&g.name, "name", sandbox.DefaultName, "name of the sandbox")
	flags.StringVar(&g.engine, "engine", "", "container engine: docker, podman or nerdctl (default: the first one that works)")
	flags.StringVar(&g.source, "source", proc.getenv("SANDBOX_SOURCE"),
		"checkout of this project to build images from (default: the one that contains the working directory)")
	root.AddCommand(
		newUp(proc, g), newDown(proc, g), newStatus(proc, g), newDoctor(proc, g), newAudit(proc, g), newRun(proc, g), newUndo(proc, g),
		newWatch(proc, g), newScenarios(proc, g), newCall(proc, g), newChat(proc, g), newContracts(proc, g), newOpen(proc, g), newImages(proc, g),
		newPolicy(proc, g), newFault(proc, g), newPartner(proc, g), newLogs(proc, g), newCerts(proc, g), newVersion(proc, g), newMan(),
	)
	addHelp(root)
	completeWords(root)
	badArgsAreUsage(root)
	return root
}

// addHelp adds cobra's own commands early, so that their wrong arguments are handled like those of ours.
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

// outputFlag adds -o to a command that prints data.
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
	return false, usageError(remedy.Advice("-o json"), "--output %q: want table or json", g.output)
}

// stateFolder returns the folder below XDG_STATE_HOME or HOME. Without both it is next to the sandboxes, whose names cannot contain a dot.
func (proc process) stateFolder(config string) string {
	if dir := proc.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sandbox")
	}
	if home := proc.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "sandbox")
	}
	return filepath.Join(config, ".state")
}

// folders returns the folders in which the sandbox keeps its files. A relative path in an XDG variable is ignored, as the XDG Base Directory
// Specification requires.
func (proc process) folders() (sandbox.Folders, error) {
	home := proc.getenv("HOME")
	pick := func(env, fallback string) (string, error) {
		if dir := proc.getenv(env); filepath.IsAbs(dir) {
			return filepath.Join(dir, "sandbox"), nil
		}
		if !filepath.IsAbs(home) {
			return "", remedy.New("finding the folder for the files of the sandbox: neither "+env+" nor HOME is an absolute path",
				remedy.Advice("set HOME to the path of your home directory"))
		}
		return filepath.Join(home, fallback, "sandbox"), nil
	}
	config, err := pick("XDG_CONFIG_HOME", ".config")
	if err != nil {
		return sandbox.Folders{}, err
	}
	cache, err := pick("XDG_CACHE_HOME", ".cache")
	return sandbox.Folders{Config: config, Cache: cache, State: proc.stateFolder(config)}, err
}

// A verb declares what it needs of a cluster: dialer and dialerAs are shared by several.
type (
	dialer interface {
		Dial(ctx context.Context, release string) (*grpc.ClientConn, error)
	}
	dialerAs interface {
		DialAs(ctx context.Context, account, release string) (*grpc.ClientConn, error)
	}
)

// withCluster calls use with the sandbox that --name selects, and closes the connection.
func withCluster(ctx context.Context, proc process, g *globals, use func(c *live.Cluster) error) error {
	c, err := openCluster(ctx, proc, g)
	if err != nil {
		return err
	}
	defer c.Close()
	return use(c)
}

// openCluster connects to the sandbox that --name selects.
func openCluster(ctx context.Context, proc process, g *globals) (*live.Cluster, error) {
	folders, err := proc.folders()
	if err != nil {
		return nil, err
	}
	return live.Open(ctx, folders, g.name)
}
