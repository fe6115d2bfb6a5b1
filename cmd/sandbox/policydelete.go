package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

func newPolicyDelete(proc process, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:               "delete NAME…",
		Short:             "Delete policies; the processes that enforce them stop within a second",
		Example:           "  sandbox policy delete limit",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeObjects(proc, g, policyNames),
		RunE: func(cmd *cobra.Command, names []string) error {
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				// All names are checked before anything is deleted.
				for _, name := range names {
					if _, err := c.Policy(cmd.Context(), name); err != nil {
						return noPolicy(cmd.Context(), c, name, err)
					}
				}
				var failed error
				for _, name := range names {
					if err := c.DeletePolicy(cmd.Context(), name); err != nil {
						failed = errors.Join(failed, err)
						continue
					}
					fmt.Fprintf(proc.stdout, "%s: deleted\n", name)
				}
				return failed
			})
		},
	}
}
