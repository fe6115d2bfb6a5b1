package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

func newScenarios(proc process, g *globals) *cobra.Command {
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
				return writeJSON(proc.stdout, map[string]any{"scenarios": rows})
			}
			t := tabwriter.NewWriter(proc.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "SCENARIO\tDESCRIPTION")
			for _, s := range scenarios.Builtin() {
				fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Description)
			}
			return t.Flush()
		},
	}
	outputFlag(cmd, g)
	cmd.AddCommand(newScenarioShow(proc, g), newScenarioCheck(proc, g),
		&cobra.Command{
			Use: "grammar", Short: "Print every field of a scenario file", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintln(proc.stdout, scenarios.Grammar())
				return err
			},
		},
		&cobra.Command{
			Use: "schema", Short: "Print a JSON Schema of scenario files, for editors", Args: cobra.NoArgs,
			Example: "  sandbox scenarios schema > scenario.schema.json\n  # and in the first line of a file:\n  # yaml-language-server: $schema=scenario.schema.json",
			RunE:    func(*cobra.Command, []string) error { return scenarios.WriteSchema(proc.stdout) },
		},
	)
	return cmd
}

func newScenarioShow(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Print the file of a built-in scenario, as a start for your own", Args: cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(scenarioNames),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			s, err := scenarios.Load(args[0])
			if err != nil {
				return badScenario(proc, g, err)
			}
			if !asJSON {
				_, err = proc.stdout.Write(s.Source)
				return err
			}
			text, err := yaml.YAMLToJSON(s.Source)
			if err != nil {
				return fmt.Errorf("converting scenario %s to JSON: %w", s.Name, err)
			}
			return writeJSON(proc.stdout, json.RawMessage(text))
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// checkedFile is the result of checking one scenario file.
type checkedFile struct {
	File string `json:"file"`
	// Name is the name of the scenario. It is empty if the file is invalid.
	Name     string        `json:"name,omitempty"`
	Problems []fileProblem `json:"problems"`
	err      error
}

type fileProblem struct {
	// Line is 0 if the file cannot be read.
	Line    int    `json:"line,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

func newScenarioCheck(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check FILE…", Short: "Check scenario files without a cluster", Args: cobra.MinimumNArgs(1),
		Long: "Check scenario files without a cluster. Everything is checked except the plan, which depends on the running pods. A problem is printed as\n" +
			"file:line: field: message. Exit code: 0 all files are valid, 2 a file is not.",
		RunE: func(_ *cobra.Command, files []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			var bad error
			checked := []checkedFile{}
			for _, file := range files {
				c := g.checkScenarioFile(file)
				if c.err != nil {
					bad = &codedError{exitUsage, nil}
				}
				if !asJSON {
					c.print(proc, g)
				}
				checked = append(checked, c)
			}
			if asJSON {
				if err := writeJSON(proc.stdout, map[string]any{"files": checked}); err != nil {
					return err
				}
			}
			return bad
		},
	}
	outputFlag(cmd, g)
	return cmd
}

func (g *globals) checkScenarioFile(file string) checkedFile {
	sc, err := catalog.LoadScenario(file)
	c := checkedFile{File: file, Problems: []fileProblem{}, err: err}
	var problems *scenarios.FileError
	switch {
	case err == nil:
		c.Name = sc.Name
	case errors.As(err, &problems):
		for _, p := range problems.Problems {
			c.Problems = append(c.Problems, fileProblem{p.Line, p.Path, p.Message, p.Remedy.Text(g.commandLine)})
		}
	default:
		p := fileProblem{Message: err.Error()}
		for _, r := range remedy.Of(err) {
			p.Remedy = r.Text(g.commandLine)
		}
		c.Problems = append(c.Problems, p)
	}
	return c
}

func (c checkedFile) print(proc process, g *globals) {
	var problems *scenarios.FileError
	switch {
	case c.err == nil:
		fmt.Fprintf(proc.stdout, "%s: %s is valid\n", c.File, c.Name)
	case errors.As(c.err, &problems):
		fmt.Fprintln(proc.stderr, problems.Text(g.commandLine))
	default:
		g.printError(proc, "sandbox:", c.err)
	}
}

// scenarioNames returns the built-in scenarios for shell completion, each with its description.
func scenarioNames() []string {
	var names []string
	for _, s := range scenarios.Builtin() {
		names = append(names, s.Name+"\t"+s.Description)
	}
	return names
}
