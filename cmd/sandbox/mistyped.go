package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grpc-sandbox/sandbox/internal/nearest"
)

// badUsage makes an error about the command line a usage error that points to the command's help and, for a mistyped flag, verb or argument, to
// the nearest one that exists.
func badUsage(cmd *cobra.Command, err error, args []string) error {
	if word, ok := meant(cmd, err, args); ok {
		err = fmt.Errorf("%w: did you mean %q?", err, word)
	}
	return usageError(seeHelp(cmd), "%w", err)
}

// meant returns the flag, subcommand or argument that was probably meant.
func meant(cmd *cobra.Command, err error, args []string) (string, bool) {
	var flag *pflag.NotExistError
	if errors.As(err, &flag) {
		return meantFlag(cmd, flag.GetSpecifiedName())
	}
	if len(args) == 0 {
		return "", false
	}
	var words []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			words = append(words, sub.Name())
		}
	}
	for _, arg := range cmd.ValidArgs {
		word, _, _ := strings.Cut(arg, "\t")
		words = append(words, word)
	}
	return nearest.Of(args[0], words)
}

func meantFlag(cmd *cobra.Command, name string) (string, bool) {
	if len(name) < 2 {
		return "", false
	}
	var names []string
	add := func(f *pflag.Flag) { names = append(names, f.Name) }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	name, ok := nearest.Of(name, names)
	return "--" + name, ok
}
