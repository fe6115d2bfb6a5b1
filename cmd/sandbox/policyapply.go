package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

type applyFlags struct {
	file    string
	noWait  bool
	timeout time.Duration
}

func newPolicyApply(proc process, g *globals) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply {FILE | -f FILE}",
		Short: "Put the policies of a file in force, and wait until every process enforces them",
		Long: "Put the policies of a file in force, and wait until every process that they concern enforces them. FILE has one or several YAML documents\n" +
			"of kind TrafficPolicy; - is standard input. Everything is checked before anything is sent; a mistake is printed as file:line: field: reason.\n\n" +
			"The file and line of each field are stored with the object, so that `sandbox policy explain` can name them.\n\n" +
			"Exit codes: 0 every policy is in force, 1 a policy is applied but not in force, 2 the file is not valid, 3 the sandbox cannot be reached.",
		Example: examplePolicy + "\n\n  sandbox policy diff limit.yaml\n  sandbox policy apply limit.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && f.file == "":
				return usageError(remedy.Command("policy", "apply", "limit.yaml"), "want a FILE")
			case len(args) == 1 && f.file != "":
				return usageError(remedy.Command("policy", "apply", args[0]), "want FILE or -f FILE, got both")
			case len(args) == 1:
				f.file = args[0]
			}
			return applyPolicies(cmd.Context(), proc, g, f)
		},
	}
	// The form of `kubectl apply` and of `fault add`.
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "the file, instead of an argument")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "return as soon as the policies are stored")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait until the policies are in force")
	outputFlag(cmd, g)
	return cmd
}

func applyPolicies(ctx context.Context, proc process, g *globals, f applyFlags) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	if f.timeout <= 0 {
		return usageError(remedy.Flag("timeout", "30s"), "--timeout %s is not a positive duration", f.timeout)
	}
	docs, err := readObjects(proc, f.file, compile.KindTrafficPolicy)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return withCluster(ctx, proc, g, func(c *live.Cluster) error { return applyTo(ctx, proc.stdout, c, docs, f.noWait, asJSON) })
}

// policyApplied is what `policy apply -o json` prints. Add fields; never rename one.
type policyApplied struct {
	Policies []traffic.Applied `json:"policies"`
}

func applyTo(ctx context.Context, out io.Writer, c traffic.Applier, docs []traffic.Document, noWait, asJSON bool) error {
	all, err := traffic.Apply(ctx, c, docs, noWait)
	doc := policyApplied{all}
	var werr error
	if asJSON {
		werr = writeJSON(out, doc)
	} else {
		werr = doc.writeTable(out, noWait)
	}
	var not *traffic.NotInForceError
	if errors.As(err, &not) {
		err = &codedError{exitNotHeld, remedy.Wrap(not, remedy.Command("policy", "status", not.Name))}
	}
	return errors.Join(err, werr)
}

func (d policyApplied) writeTable(out io.Writer, noWait bool) error {
	for _, p := range d.Policies {
		switch {
		case p.InForce:
			fmt.Fprintf(out, "%s: %s, in force in %d processes after %.1f s\n", p.Name, p.Change, len(p.Processes), p.Seconds)
		case noWait:
			fmt.Fprintf(out, "%s: %s\n", p.Name, p.Change)
		default:
			fmt.Fprintf(out, "%s: %s, not known to be in force\n", p.Name, p.Change)
		}
		if len(p.Processes) > 0 {
			if err := writeProcesses(out, p.Processes); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeProcesses prints what each process does with each field.
func writeProcesses(out io.Writer, all []traffic.Process) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "POD\tFIELD\tVERDICT\tWHY")
	for _, p := range all {
		for _, f := range p.Fields {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Pod, dashIfEmpty(f.Field), f.Verdict, f.Why)
		}
	}
	return t.Flush()
}

func dashIfEmpty(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
