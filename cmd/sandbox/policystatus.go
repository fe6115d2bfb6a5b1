package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
)

func newPolicyStatus(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Show which process enforces which field of a policy",
		Long: "Show for each process that a policy concerns, and for each field, what the process does with it:\n\n" +
			"  enforced      as written\n" +
			"  approximated  with a difference, which is named\n" +
			"  ignored       another policy applies instead, or the process is not connected to the control plane\n" +
			"  rejected      the process cannot apply it\n" +
			"  pending       not acknowledged yet\n\n" +
			"The status of the object itself has at most 20 of these. `sandbox policy verify` proves by calls that a field is enforced.\n\n" +
			"Exit code 1: the policy is not in force.",
		Example:           "  sandbox policy status limit",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeObjects(proc, g, func(ctx context.Context, c listed) []string { return policyNames(ctx, c) }),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return noPolicy(cmd.Context(), c, args[0], policyStatus(cmd.Context(), proc.stdout, c, args[0], asJSON))
			})
		},
	}
	outputFlag(cmd, g)
	return cmd
}

func policyStatus(ctx context.Context, out io.Writer, c traffic.Inspected, name string, asJSON bool) error {
	status, err := traffic.StatusOf(ctx, c, name)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(out, status)
	} else {
		err = writePolicyStatus(out, status)
	}
	if err == nil && !status.InForce {
		return &codedError{exitNotHeld, fmt.Errorf("policy %s is not in force: %s", name, status.Why)}
	}
	return err
}

func writePolicyStatus(out io.Writer, s traffic.Status) error {
	fmt.Fprintf(out, "%s: %s\n", s.Name, s.Spec)
	accepted := yesOrNo(s.Accepted)
	if !s.Accepted && s.Reason == traffic.Pending {
		accepted = "not yet"
	}
	fmt.Fprintf(out, "selects %s; accepted: %s; in force: %s (%s)\n\n", selectorText(s.Selector), accepted, yesOrNo(s.InForce), s.Reason)
	return writeProcesses(out, s.Subscribers)
}
