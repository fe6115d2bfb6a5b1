package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

// document is the result of a command: a table, or with -o json the document itself.
type document interface{ writeTable(out io.Writer) error }

func writeDocument(out io.Writer, doc document, asJSON bool) error {
	if asJSON {
		return writeJSON(out, doc)
	}
	return doc.writeTable(out)
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// newList returns a command that lists things of the sandbox.
func newList(proc process, g *globals, short string, list func(ctx context.Context, c *live.Cluster) (document, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				doc, err := list(cmd.Context(), c)
				if err != nil {
					return err
				}
				return writeDocument(proc.stdout, doc, asJSON)
			})
		},
	}
	outputFlag(cmd, g)
	return cmd
}
