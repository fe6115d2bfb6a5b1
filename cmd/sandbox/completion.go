package main

import (
	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// completeFirst completes the first argument with words, and later arguments with nothing.
func completeFirst(words func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(), cobra.ShellCompDirectiveNoFileComp
	}
}

// flagWords returns the values of the flags that accept a fixed set of values.
func flagWords() map[string][]string {
	return map[string][]string{
		"engine": cluster.EngineNames(),
		"images": {string(images.Auto), string(images.Pull), string(images.Source)},
		"output": {"table", "json"},
	}
}

// completeWords adds completion for the flags of c and its subcommands, and disables file completion for commands without arguments.
func completeWords(c *cobra.Command) {
	for flag, words := range flagWords() {
		if c.Flags().Lookup(flag) != nil || c.PersistentFlags().Lookup(flag) != nil {
			// It fails only for a flag that does not exist or that already has a completion.
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
