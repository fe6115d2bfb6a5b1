package main

import (
	"errors"
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
	cmd.AddCommand(newScenarioShow(w), newScenarioCheck(w, g),
		&cobra.Command{
			Use: "grammar", Short: "Print every field of a scenario file", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintln(w.stdout, scenarios.Grammar())
				return err
			},
		},
		&cobra.Command{
			Use: "schema", Short: "Print a JSON Schema of scenario files, for editors", Args: cobra.NoArgs,
			Example: "  sandbox scenarios schema > scenario.schema.json\n  # and in the first line of a file:\n  # yaml-language-server: $schema=scenario.schema.json",
			RunE:    func(*cobra.Command, []string) error { return scenarios.WriteSchema(w.stdout) },
		},
	)
	return cmd
}

func newScenarioShow(w world) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print a built-in scenario's file, to start your own from", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(scenarioNames),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := scenarios.Load(args[0])
			if err != nil {
				return badScenario(w, err)
			}
			_, err = fmt.Fprintf(w.stdout, "%s", s.Source)
			return err
		},
	}
}

func newScenarioCheck(w world, g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE…", Short: "Check scenario files without a cluster", Args: cobra.MinimumNArgs(1),
		Long: "Check scenario files without a cluster: everything but the plan, which needs the pods that there are. A problem is printed as\n" +
			"file:line: field: message. Exit code: 0 all are good, 2 one is not.",
		RunE: func(_ *cobra.Command, files []string) error {
			var bad error
			for _, file := range files {
				sc, err := loadScenario(file)
				var problems *scenarios.FileError
				switch {
				case err == nil:
					fmt.Fprintf(w.stdout, "%s: %s is good\n", file, sc.Name)
					continue
				case errors.As(err, &problems):
					fmt.Fprintln(w.stderr, problems)
				default:
					g.printError(w, "sandbox:", withHint(err))
				}
				bad = &codedError{exitUsage, nil} // all has been said
			}
			return bad
		},
	}
}

// scenarioNames are the built-in scenarios as a shell offers them, each with what it does.
func scenarioNames() []string {
	var names []string
	for _, s := range scenarios.Builtin() {
		names = append(names, s.Name+"\t"+s.Description)
	}
	return names
}
