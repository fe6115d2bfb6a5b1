package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/nearest"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// examplePolicy is a whole policy, for the help.
const examplePolicy = `  # limit.yaml
  apiVersion: sandbox.dev/v1alpha1
  kind: TrafficPolicy
  metadata: {name: limit}
  spec:
    selector: {matchLabels: {app.kubernetes.io/name: userservice}}
    maxRequestsPerSecond: 50`

func newPolicy(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Apply traffic policies to the running services, and see who enforces them",
		Long: "A traffic policy says how the calls to a service are treated: limits, deadlines, retries, circuit breakers. The control plane sends it to\n" +
			"every process that it concerns, without a restart, and each process reports what it enforces.\n\n" +
			"All fields: kubectl explain trafficpolicies.spec",
		Example: examplePolicy + "\n\n  sandbox policy apply limit.yaml\n  sandbox policy explain userservice",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newPolicyList(proc, g),
		newPolicyApply(proc, g),
		newPolicyDiff(proc, g),
		newPolicyStatus(proc, g),
		newPolicyDelete(proc, g),
		newPolicyExplain(proc, g),
		newPolicyVerify(proc, g),
	)
	return cmd
}

// policyList is what `policy list -o json` prints. Add fields; never rename one.
type policyList struct {
	Policies []traffic.Summary `json:"policies"`
}

func newPolicyList(proc process, g *globals) *cobra.Command {
	return newList(proc, g, "List the policies, and whether every process enforces them", func(ctx context.Context, c *live.Cluster) (document, error) {
		all, err := c.Policies(ctx)
		return policyList{Policies: each(all, traffic.Summarize)}, err
	})
}

func (d policyList) writeTable(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "POLICY\tSELECTOR\tIN FORCE\tREASON\tPROCESSES\tSPEC")
	for _, p := range d.Policies {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d/%d\t%s\n", p.Name, selectorText(p.Selector), yesOrNo(p.InForce), p.Reason, p.Enforcing, p.Processes, p.Spec)
	}
	return t.Flush()
}

// selectorText returns labels as kubectl takes them.
func selectorText(labels map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, key+"="+labels[key])
	}
	return strings.Join(all, ",")
}

func yesOrNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// completionLimit is how long the completion of a name may ask the cluster.
const completionLimit = 2 * time.Second

// namesOf returns the names of objects in the cluster; none if it cannot be asked.
type namesOf func(ctx context.Context, c listed) []string

// listed lists the objects that commands take by their names.
type listed interface {
	policyLister
	faultLister
}

// completeObjects completes the first argument with the names of objects in the cluster; with nothing if it cannot be asked.
func completeObjects(proc process, g *globals, names namesOf) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (found []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionLimit)
		defer cancel()
		// Without a cluster there is nothing to complete.
		_ = withCluster(ctx, proc, g, func(c *live.Cluster) error {
			found = names(ctx, c)
			return nil
		})
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// policyLister lists policies.
type policyLister interface {
	Policies(ctx context.Context) ([]api.TrafficPolicy, error)
}

func policyNames(ctx context.Context, c policyLister) []string {
	all, err := c.Policies(ctx)
	if err != nil {
		return nil
	}
	return each(all, func(p api.TrafficPolicy) string { return p.Name })
}

// noPolicy adds to the error for a policy that does not exist the names of those that do.
func noPolicy(ctx context.Context, c policyLister, name string, err error) error {
	if !errors.Is(err, live.ErrNoObject) {
		return err
	}
	return noObject("policy", name, policyNames(ctx, c), remedy.Command("policy", "list"))
}

// noObject returns the error for an object that does not exist.
func noObject(kind, name string, names []string, list remedy.Remedy) error {
	if near, ok := nearest.Of(name, names); ok {
		return usageError(list, "there is no %s %q: did you mean %q?", kind, name, near)
	}
	return usageError(list, "there is no %s %q", kind, name)
}

// readObjects reads a file with objects of a kind; - is standard input. Its problems are printed as file:line: message, which editors parse.
func readObjects(proc process, name, kind string) ([]traffic.Document, error) {
	var text []byte
	var err error
	if name == "-" {
		name = "stdin"
		text, err = io.ReadAll(proc.stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, usageError(remedy.Advice("a YAML file of kind "+kind+", or - for standard input"), "reading %s: %w", name, err)
	}
	docs, err := traffic.Read(name, text, kind)
	var wrong *traffic.FileError
	if errors.As(err, &wrong) {
		fmt.Fprintln(proc.stderr, wrong.Text())
		return nil, &codedError{exitUsage, nil}
	}
	return docs, err
}
