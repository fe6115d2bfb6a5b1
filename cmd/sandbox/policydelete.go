package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

func newPolicyDelete(proc process, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:               "delete NAME…",
		Short:             "Delete policies; the processes that enforce them stop within a second",
		Example:           "  sandbox policy delete limit",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeObjects(proc, g, func(ctx context.Context, c listed) []string { return policyNames(ctx, c) }),
		RunE: func(cmd *cobra.Command, names []string) error {
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return deletePolicies(cmd.Context(), proc.stdout, c, names)
			})
		},
	}
}

// policyDeleter deletes policies.
type policyDeleter interface {
	policyLister
	policyReader
	DeletePolicy(ctx context.Context, name string) error
}

// deletePolicies deletes policies by name. All names are checked before anything is deleted.
func deletePolicies(ctx context.Context, out io.Writer, c policyDeleter, names []string) error {
	for _, name := range names {
		if _, err := c.Policy(ctx, name); err != nil {
			return noPolicy(ctx, c, name, err)
		}
	}
	var failed error
	for _, name := range names {
		if err := c.DeletePolicy(ctx, name); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		fmt.Fprintf(out, "%s: deleted\n", name)
	}
	return failed
}
