package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

func newPolicyDiff(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff FILE",
		Short: "Print what applying a file would change, object by object and field by field",
		Long: "Print what `sandbox policy apply FILE` would change, object by object and field by field. Nothing is changed.\n\n" +
			"Exit codes: 0 there is no difference, 1 there is one, 2 the file is not valid, 3 the sandbox cannot be reached.",
		Example: "  sandbox policy diff limit.yaml || sandbox policy apply limit.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			docs, err := readObjects(proc, args[0], compile.KindTrafficPolicy)
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error { return diffPolicies(cmd.Context(), proc.stdout, c, docs, asJSON) })
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// policyDiff is what `policy diff -o json` prints. Add fields; never rename one.
type policyDiff struct {
	Differs bool           `json:"differs"`
	Objects []traffic.Diff `json:"objects"`
}

// policyReader reads one policy. Its error is live.ErrNoObject if there is none.
type policyReader interface {
	Policy(ctx context.Context, name string) (*api.TrafficPolicy, error)
}

func diffPolicies(ctx context.Context, out io.Writer, c policyReader, docs []traffic.Document, asJSON bool) error {
	doc := policyDiff{Objects: []traffic.Diff{}}
	for _, d := range docs {
		stored, err := c.Policy(ctx, d.Name)
		if err != nil && !errors.Is(err, live.ErrNoObject) {
			return err
		}
		diff := traffic.Compare(d, stored)
		doc.Objects = append(doc.Objects, diff)
		doc.Differs = doc.Differs || diff.Change != traffic.Unchanged
	}
	if asJSON {
		if err := writeJSON(out, doc); err != nil {
			return err
		}
	} else {
		doc.write(out)
	}
	if doc.Differs {
		return &codedError{exitNotHeld, nil}
	}
	return nil
}

// write prints the differences. An object without one is not mentioned.
func (d policyDiff) write(out io.Writer) {
	for _, o := range d.Objects {
		if o.Change == traffic.Unchanged {
			continue
		}
		fmt.Fprintf(out, "%s %s would be %s\n", o.Kind, o.Name, o.Change)
		for _, f := range o.Fields {
			if f.Before != "" {
				fmt.Fprintf(out, "  - %s: %s\n", f.Field, f.Before)
			}
			if f.After != "" {
				fmt.Fprintf(out, "  + %s: %s    # %s\n", f.Field, f.After, f.At)
			}
		}
	}
}
