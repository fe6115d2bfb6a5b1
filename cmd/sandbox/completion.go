package main

import (
	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// completeFirst offers words for the first argument, and nothing for a later one.
func completeFirst(words func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(), cobra.ShellCompDirectiveNoFileComp
	}
}

// flagWords are what the flags take that do not take anything.
func flagWords() map[string][]string {
	return map[string][]string{
		"engine": cluster.EngineNames(),
		"images": {string(images.Auto), string(images.Pull), string(images.Source)},
		"output": {"table", "json"},
	}
}

// completeWords makes a shell offer what the flags of c and its subcommands take, and no files to commands that take no argument.
func completeWords(c *cobra.Command) {
	for flag, words := range flagWords() {
		if c.Flags().Lookup(flag) != nil || c.PersistentFlags().Lookup(flag) != nil {
			// It fails only for a flag that is not there, or has its words already.
			_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	if c.Args != nil && c.ValidArgsFunction == nil && c.ValidArgs == nil && c.Args(c, []string{""}) != nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range c.Commands() {
		completeWords(sub)
	}
}
