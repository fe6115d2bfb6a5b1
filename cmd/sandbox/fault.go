package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

func newFault(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Inject faults into calls between the services, and clear them",
		Long: "A fault delays calls, lets them fail or hang, or cuts streams, on connections that are already open and without a restart. It ends when it is\n" +
			"cleared, when its time is over, and 10 s after the program that created it is gone. Health, metrics and the control plane are never affected.",
		Example: "  sandbox fault add userservice --abort UNAVAILABLE --pods 1\n  sandbox fault list\n  sandbox fault clear --all",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newFaultAdd(proc, g),
		newFaultList(proc, g),
		newFaultClear(proc, g),
	)
	return cmd
}

// faultList is what `fault list -o json` prints. Add fields; never rename one.
type faultList struct {
	Faults []traffic.FaultSummary `json:"faults"`
}

func newFaultList(proc process, g *globals) *cobra.Command {
	return newList(proc, g, "List the faults, and how many pods inject them", func(ctx context.Context, c *live.Cluster) (document, error) {
		all, err := c.Faults(ctx)
		return faultList{Faults: each(all, traffic.SummarizeFault)}, err
	})
}

func (d faultList) writeTable(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FAULT\tSELECTOR\tSIDE\tCALLS\tEFFECT\tPHASE\tPODS\tWHY")
	for _, f := range d.Faults {
		calls := f.Method
		if calls == "" {
			calls = "*"
		}
		if f.Callee != "" {
			calls = f.Callee + " " + calls
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d/%d\t%s\n", f.Name, selectorText(f.Selector), f.Side, calls, f.Effect, f.Phase, f.Applied, len(f.Targets), f.Why)
	}
	return t.Flush()
}

func newFaultClear(proc process, g *globals) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:               "clear {NAME… | --all}",
		Short:             "Clear faults, and wait until no process injects them",
		Example:           "  sandbox fault clear --all",
		ValidArgsFunction: completeObjects(proc, g, func(ctx context.Context, c listed) []string { return faultNames(ctx, c) }),
		RunE: func(cmd *cobra.Command, names []string) error {
			if all == (len(names) > 0) {
				return usageError(remedy.Command("fault", "clear", "--all"), "clearing faults: want names or --all")
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return clearFaults(cmd.Context(), proc.stdout, c, names)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "clear every fault")
	return cmd
}

// faultLister lists faults.
type faultLister interface {
	Faults(ctx context.Context) ([]api.Fault, error)
}

// clearer clears faults.
type clearer interface {
	faultLister
	ClearFault(ctx context.Context, name string) error
}

// clearFaults clears faults by name; without a name all of them. All names are checked before anything is cleared.
func clearFaults(ctx context.Context, out io.Writer, c clearer, names []string) error {
	present, err := c.Faults(ctx)
	if err != nil {
		return err
	}
	known := each(present, func(f api.Fault) string { return f.Name })
	if len(names) == 0 {
		names = known
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return noObject("fault", name, known, remedy.Command("fault", "list"))
		}
	}
	var failed error
	for _, name := range names {
		if err := c.ClearFault(ctx, name); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		fmt.Fprintf(out, "%s: cleared\n", name)
	}
	return failed
}

func faultNames(ctx context.Context, c faultLister) []string {
	all, err := c.Faults(ctx)
	if err != nil {
		return nil
	}
	return each(all, func(f api.Fault) string { return f.Name })
}
