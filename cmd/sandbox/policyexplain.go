package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/nearest"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
)

func newPolicyExplain(proc process, g *globals) *cobra.Command {
	var noDefaults bool
	cmd := &cobra.Command{
		Use:   "explain SERVICE [METHOD]",
		Short: "Print every effective value for the calls to a service, and where it comes from",
		Long: "Print every effective value for the calls to a service, and where it comes from: an object of the control plane, with the file and line that\n" +
			"it was applied from; the policy file that is mounted into the pods, as a line of its ConfigMap; or a default of the library.\n\n" +
			"Side server is enforced by the service itself, side client by its callers. METHOD restricts the output to the values of one method;\n" +
			"a name without its package is enough. Options that a program sets in its own code are not known to this command.",
		Example: "  sandbox policy explain userservice\n  sandbox policy explain userservice user.v1.UserService/GetUser --no-defaults",
		Args:    cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return serviceNames(), cobra.ShellCompDirectiveNoFileComp
			case 1:
				return catalog.Methods(args[0]), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			if names := serviceNames(); !slices.Contains(names, args[0]) {
				return usageError(remedy.OneOf(names...), "%q is not a service of the sandbox", args[0])
			}
			doc := explainedPolicy{Service: args[0]}
			if len(args) == 2 {
				if doc.Method, err = methodNamed(args[0], args[1]); err != nil {
					return err
				}
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error { return doc.explain(cmd.Context(), proc.stdout, c, noDefaults, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&noDefaults, "no-defaults", false, "omit the values that are defaults")
	outputFlag(cmd, g)
	return cmd
}

// serviceNames returns the releases with gRPC services.
func serviceNames() []string {
	var names []string
	for _, p := range catalog.Providers() {
		names = append(names, p.Name)
	}
	return names
}

// methodNamed returns the full name of a method of a release.
func methodNamed(release, name string) (string, error) {
	all := catalog.Methods(release)
	var short []string
	for _, m := range all {
		if m == strings.TrimPrefix(name, "/") || strings.HasSuffix(m, "/"+name) {
			return m, nil
		}
		short = append(short, m[strings.Index(m, "/")+1:])
	}
	if near, ok := nearest.Of(name[strings.Index(name, "/")+1:], short); ok {
		return "", usageError(remedy.OneOf(all...), "%s has no method %q: did you mean %q?", release, name, near)
	}
	return "", usageError(remedy.OneOf(all...), "%s has no method %q", release, name)
}

// explainedPolicy is what `policy explain -o json` prints. Add fields; never rename one.
type explainedPolicy struct {
	Service string          `json:"service"`
	Method  string          `json:"method,omitempty"`
	Values  []traffic.Value `json:"values"`
}

func (d explainedPolicy) explain(ctx context.Context, out io.Writer, c traffic.Explained, noDefaults, asJSON bool) error {
	values, err := traffic.Explain(ctx, c, d.Service, d.Method)
	if err != nil {
		return err
	}
	d.Values = []traffic.Value{}
	for _, v := range values {
		if !noDefaults || !v.IsDefault() {
			d.Values = append(d.Values, v)
		}
	}
	return writeDocument(out, d, asJSON)
}

func (d explainedPolicy) writeTable(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SIDE\tMETHOD\tFIELD\tVALUE\tFROM\tAT")
	for _, v := range d.Values {
		method := v.Method
		if method == "" {
			method = "*"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Side, method, v.Field, v.Value, v.From, v.At)
	}
	return t.Flush()
}
