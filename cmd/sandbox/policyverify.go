package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/probe"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func newPolicyVerify(proc process, g *globals) *cobra.Command {
	var window time.Duration
	cmd := &cobra.Command{
		Use:   "verify NAME",
		Short: "Send real calls to check that a policy is enforced",
		Long: "Send real calls to check that the fields of a policy are enforced:\n\n" +
			"  maxRequestsPerSecond, rate  the load generator offers three times as many calls, and the admitted ones are counted\n" +
			"  deadline                    calls of the load generator are delayed by a fault, and must end at the deadline\n" +
			"  retry                       5 % of the calls to the service fail for a while, and callers must not notice\n" +
			"  breaker                     calls of the load generator fail until its breaker opens\n" +
			"  serverDeadline, bulkhead    this machine calls one pod without a deadline, or too often at once\n\n" +
			"Only methods that read (Get…, List…) are called. Other fields are listed as not probed.\n\n" +
			"Calls of others are affected, too. While a limit is exceeded, it refuses some of them. While retries are probed, 5 % of the calls to one method\n" +
			"fail. While deadlines and breakers are probed, the calls of the load generator to one method are delayed or fail.\n\n" +
			"Exit codes: 0 what can be probed is enforced, 1 something is not, 3 a probe failed.",
		Example:           "  sandbox policy verify limit",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeObjects(proc, g, func(ctx context.Context, c listed) []string { return policyNames(ctx, c) }),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			if window < time.Second {
				return usageError(remedy.Flag("for", "10s"), "--for %s is less than 1s", window)
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return verifyPolicy(cmd.Context(), proc, c, policyProbe{name: args[0], window: window, asJSON: asJSON})
			})
		},
	}
	cmd.Flags().DurationVar(&window, "for", 10*time.Second, "how long rates and retries are measured")
	outputFlag(cmd, g)
	return cmd
}

// policyProbe is one run of `policy verify`.
type policyProbe struct {
	name   string
	window time.Duration
	asJSON bool
}

// probed is what `policy verify` needs of a cluster.
type probed interface {
	policyLister
	policyReader
	Prober(ctx context.Context, spec *policyv1.TrafficPolicySpec) (probe.Prober, error)
}

func verifyPolicy(ctx context.Context, proc process, c probed, v policyProbe) error {
	object, err := c.Policy(ctx, v.name)
	if err != nil {
		return noPolicy(ctx, c, v.name, err)
	}
	spec, err := object.Decode()
	if err != nil {
		return remedy.Errorf(remedy.Command("policy", "status", v.name), "policy %s cannot be used: %w", v.name, err)
	}
	prober, err := c.Prober(ctx, spec)
	if err != nil {
		return err
	}
	prober.Window = v.window
	prober.Observe = func(doing string, about time.Duration) {
		fmt.Fprintf(proc.stderr, "%s, about %.0f s\n", doing, about.Seconds())
	}
	return v.verify(ctx, proc.stdout, prober, spec)
}

// policyVerified is what `policy verify -o json` prints. Add fields; never rename one.
type policyVerified struct {
	Policy string `json:"policy"`
	// Enforced is true if every field that was probed is enforced.
	Enforced bool           `json:"enforced"`
	Fields   []probe.Result `json:"fields"`
}

// prober probes the fields of a policy.
type prober interface {
	Run(ctx context.Context, spec *policyv1.TrafficPolicySpec) ([]probe.Result, error)
}

func (v policyProbe) verify(ctx context.Context, out io.Writer, p prober, spec *policyv1.TrafficPolicySpec) error {
	results, err := p.Run(ctx, spec)
	if results == nil {
		return err
	}
	doc := policyVerified{Policy: v.name, Enforced: true, Fields: results}
	var not []string
	for _, r := range results {
		if r.Verdict == probe.NotEnforced {
			doc.Enforced = false
			not = append(not, r.Field)
		}
	}
	err = errors.Join(err, writeDocument(out, doc, v.asJSON))
	if err == nil && !doc.Enforced {
		return &codedError{exitNotHeld, remedy.Errorf(remedy.Command("policy", "status", v.name), "not enforced: %s", strings.Join(not, ", "))}
	}
	return err
}

func (d policyVerified) writeTable(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIELD\tVALUE\tVERDICT\tOBSERVED")
	for _, r := range d.Fields {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Field, r.Value, r.Verdict, r.Observed)
	}
	return t.Flush()
}
