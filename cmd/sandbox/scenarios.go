package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/scenarios"
)

func newScenarios(w world, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenarios",
		Short: "List the built-in scenarios",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			if asJSON {
				type row struct {
					Name        string `json:"name"`
					Description string `json:"description"`
				}
				rows := []row{}
				for _, s := range scenarios.Builtin() {
					rows = append(rows, row{s.Name, s.Description})
				}
				return writeJSON(w.stdout, map[string]any{"scenarios": rows})
			}
			t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "SCENARIO\tWHAT IT DOES")
			for _, s := range scenarios.Builtin() {
				fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Description)
			}
			return t.Flush()
		},
	}
	outputFlag(cmd, g)
	cmd.AddCommand(
		&cobra.Command{
			Use: "show NAME", Short: "Print a built-in scenario's file, to start your own from", Args: cobra.ExactArgs(1),
			ValidArgsFunction: completeFirst(scenarioNames),
			RunE: func(_ *cobra.Command, args []string) error {
				s, err := scenarios.Load(args[0])
				if err != nil {
					return &codedError{exitUsage, withHint(err)}
				}
				_, err = fmt.Fprintf(w.stdout, "%s", s.Source)
				return err
			},
		},
		&cobra.Command{
			Use: "grammar", Short: "Print every field of a scenario file", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintln(w.stdout, scenarios.Grammar())
				return err
			},
		},
	)
	return cmd
}

// scenarioNames are the built-in scenarios as a shell offers them, each with what it does.
func scenarioNames() []string {
	var names []string
	for _, s := range scenarios.Builtin() {
		names = append(names, s.Name+"\t"+s.Description)
	}
	return names
}
