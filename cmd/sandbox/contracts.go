package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/verify"
)

func newContracts(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "contracts", Short: "List and verify the contracts between services", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "List every contract with its interactions", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return listContracts(proc, g) }}
	outputFlag(list, g)
	cmd.AddCommand(list, newVerify(proc, g))
	return cmd
}

// contractDocument is a contract in `contracts list -o json`. Add fields; never rename one.
type contractDocument struct {
	Consumer     string                `json:"consumer"`
	Provider     string                `json:"provider"`
	Interactions []interactionDocument `json:"interactions"`
}

type interactionDocument struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Method string `json:"method"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func listContracts(proc process, g *globals) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	all, err := contracts.All()
	if err != nil {
		return err
	}
	docs := []contractDocument{}
	for _, c := range all {
		doc := contractDocument{Consumer: c.Consumer, Provider: c.Provider}
		for _, i := range c.Interactions {
			doc.Interactions = append(doc.Interactions, interactionDocument{i.Name, i.State, i.Method, i.Code, i.Reason})
		}
		docs = append(docs, doc)
	}
	if asJSON {
		return writeJSON(proc.stdout, map[string]any{"contracts": docs})
	}
	t := tabwriter.NewWriter(proc.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONSUMER\tPROVIDER\tINTERACTION\tWHEN\tMETHOD\tENDS WITH")
	for _, c := range docs {
		for _, i := range c.Interactions {
			_, method, _ := strings.Cut(i.Method, "/")
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Consumer, c.Provider, i.Name, i.State, method, strings.TrimSpace(i.Code+" "+i.Reason))
		}
	}
	return t.Flush()
}

// selectContracts returns the contracts and providers with the given names, or all of them without a name.
func selectContracts(all []contracts.Contract, names []string) (verify.Selection, error) {
	var s verify.Selection
	known, used := contractNames(all), map[string]bool{}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return s, usageError(remedy.OneOf(known...), "%q is not a contract or a provider", name)
		}
		used[name] = true
	}
	chosen := map[string]bool{}
	for _, c := range all {
		if len(used) == 0 || used[c.Name()] || used[c.Provider] {
			s.Contracts = append(s.Contracts, c)
			chosen[c.Provider] = true
		}
	}
	for _, p := range catalog.Providers() {
		if len(used) == 0 || used[p.Name] || chosen[p.Name] {
			s.Providers = append(s.Providers, p)
		}
	}
	return s, nil
}

// contractNames returns the names of the contracts and of the providers.
func contractNames(all []contracts.Contract) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.Name())
	}
	for _, p := range catalog.Providers() {
		names = append(names, p.Name)
	}
	return names
}
