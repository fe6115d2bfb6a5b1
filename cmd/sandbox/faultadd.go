package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

type faultFlags struct {
	traffic.FaultOptions
	side, file string
}

func newFaultAdd(proc process, g *globals) *cobra.Command {
	var f faultFlags
	cmd := &cobra.Command{
		Use:   "add {RELEASE --abort CODE|--delay TIME|--hang|--cut N|--throttle RATE | -f FILE}",
		Short: "Inject a fault into the calls of a release until Ctrl-C",
		Long: "Inject a fault into the calls that the pods of a release receive, or with --side client into those that they make. The command prints the fault\n" +
			"when every pod injects it, and then stays in the foreground, because it renews the lease of the fault. Ctrl-C clears the fault and waits until\n" +
			"no process injects it. If the command is killed, the processes end the fault by themselves after 10 s.\n\n" +
			"-f reads objects of kind Fault from a file instead; - is standard input. All fields: kubectl explain faults.spec",
		Example: `  sandbox fault add userservice --abort UNAVAILABLE --pods 1        # one replica fails every call
  sandbox fault add paymentservice --delay 100ms,50ms --for 30s     # 100 to 150 ms, for half a minute
  sandbox fault add userservice --hang --method user.v1.UserService/GetUser --percent 10
  sandbox fault add orderservice --side client --callee paymentservice --abort UNAVAILABLE`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeFirst(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			faults, err := f.faults(proc, args, cmd.Flags().Changed)
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return injectFaults(cmd.Context(), proc, c, traffic.Injection{Faults: faults, Limit: f.For}, asJSON)
			})
		},
	}
	f.flags(cmd)
	outputFlag(cmd, g)
	return cmd
}

func (f *faultFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.Abort, "abort", "", "answer with this gRPC code, such as UNAVAILABLE")
	flags.StringVar(&f.Delay, "delay", "", "delay calls by this time, and with a comma by up to so much more: 100ms,50ms")
	flags.BoolVar(&f.Hang, "hang", false, "never answer; calls end with their deadline")
	flags.IntVar(&f.Cut, "cut", -1, "end streams after this many messages")
	flags.Float64Var(&f.Throttle, "throttle", 0, "serve at most so many calls per second in each pod; others wait for their turn")
	flags.StringVar(&f.Method, "method", "", "method or pattern, such as user.v1.UserService/Get* (default: every method)")
	flags.Float64Var(&f.Percent, "percent", 100, "share of the calls")
	flags.BoolVar(&f.Shadow, "shadow", false, "only count the calls that would be affected")
	flags.Uint32Var(&f.Pods, "pods", 0, "number of pods (default: all)")
	flags.StringVar(&f.side, "side", "server", "server for the calls that the pods receive, client for those that they make")
	flags.StringVar(&f.Callee, "callee", "", "with --side client: the called service (default: every service)")
	flags.DurationVar(&f.For, "for", 0, "how long, at most 1h (default: until Ctrl-C)")
	flags.StringVarP(&f.file, "file", "f", "", "file with objects of kind Fault")
	for flag, words := range map[string][]string{"side": {"server", "client"}, "callee": serviceNames()} {
		// It fails only for a flag that does not exist.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = cmd.RegisterFlagCompletionFunc("method", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return catalog.Methods(f.serving(args)), cobra.ShellCompDirectiveNoFileComp
	})
}

// serving returns the release whose methods are called.
func (f *faultFlags) serving(args []string) string {
	if f.side == "client" {
		return f.Callee
	}
	return strings.Join(args, "")
}

// ofFault are the flags that describe a fault.
var ofFault = []string{"abort", "delay", "hang", "cut", "throttle", "method", "percent", "shadow", "pods", "side", "callee"}

// faults returns the faults that the command line describes.
func (f *faultFlags) faults(proc process, args []string, set func(flag string) bool) ([]traffic.NamedFault, error) {
	if f.file != "" {
		if len(args) > 0 || slices.ContainsFunc(ofFault, set) {
			return nil, usageError(remedy.Command("fault", "add", "-f", f.file), "-f cannot be together with a release or a flag that describes a fault: the file says it")
		}
		docs, err := readObjects(proc, f.file, compile.KindFault)
		return each(docs, func(d traffic.Document) traffic.NamedFault { return traffic.NamedFault{Name: d.Name, Spec: d.Fault} }), err
	}
	if err := f.check(args, set); err != nil {
		return nil, err
	}
	f.Release, f.Client = args[0], f.side == "client"
	spec, err := traffic.NewFault(f.FaultOptions)
	if err != nil {
		return nil, flagError(err)
	}
	return []traffic.NamedFault{{Name: args[0] + "-" + strings.ToLower(rand.Text()[:5]), Spec: spec}}, nil
}

// check finds what the grammar of faults does not know: names, and flags that exclude each other.
func (f *faultFlags) check(args []string, set func(flag string) bool) error {
	releases, effects := serviceNames(), 0
	for _, given := range []bool{f.Abort != "", f.Delay != "", f.Hang, set("cut"), set("throttle")} {
		if given {
			effects++
		}
	}
	switch {
	case len(args) == 0:
		return usageError(remedy.Command("fault", "add", charts.BackgroundTarget, "--abort", "UNAVAILABLE"), "want a release or -f FILE")
	case !slices.Contains(releases, args[0]):
		return usageError(remedy.OneOf(releases...), "%q is not a service of the sandbox", args[0])
	case effects != 1:
		return usageError(remedy.Flag("abort", "UNAVAILABLE"), "want exactly one of --abort, --delay, --hang, --cut and --throttle")
	case f.side != "server" && f.side != "client":
		return usageError(remedy.Flag("side", "client"), "--side %q: want server or client", f.side)
	case f.Callee != "" && f.side != "client":
		return usageError(remedy.Flag("side", "client"), "--callee is for the calls that the pods make")
	case f.Callee != "" && !slices.Contains(releases, f.Callee):
		return usageError(remedy.OneOf(releases...), "--callee %q is not a service of the sandbox", f.Callee)
	case set("for") && f.For <= 0:
		return usageError(remedy.Flag("for", "30s"), "--for %s is not a positive duration", f.For)
	case set("cut") && (f.Cut < 0 || f.Cut > math.MaxUint32):
		return usageError(remedy.Flag("cut", "1"), "--cut %d is not a number of messages", f.Cut)
	case set("throttle") && f.Throttle == 0:
		return usageError(remedy.Flag("throttle", "5"), "--throttle must be above 0")
	}
	known := catalog.Methods(f.serving(args))
	if f.Method != "" && len(known) > 0 && !slices.ContainsFunc(known, func(m string) bool { return policy.Matches(f.Method, m) }) {
		return usageError(remedy.OneOf(known...), "--method %q matches no method of %s", f.Method, f.serving(args))
	}
	return nil
}

// flagError returns the error for a value that a fault cannot have, with the flag that has it.
func flagError(err error) error {
	var wrong *policy.Error
	if !errors.As(err, &wrong) {
		return usageError(remedy.Flag("delay", "100ms,50ms"), "--delay: %w", err)
	}
	p := wrong.Problems[0]
	flag, _, _ := strings.Cut(p.Field, ".")
	fix := map[string]string{"abort": "UNAVAILABLE", "delay": "100ms", "percent": "50", "duration": "30s", "method": "user.v1.UserService/GetUser", "cut": "1", "throttle": "5"}
	name := map[string]string{"duration": "for"}[flag]
	return usageError(remedy.Flag(cmp.Or(name, flag), cmp.Or(p.Try, fix[flag])), "--%s %s", cmp.Or(name, flag), p.Why)
}
