package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/tui"
)

func newWatch(proc process, g *globals) *cobra.Command {
	once := false
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show call rates, circuit breakers, pods and the running scenario, live",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			switch {
			case err != nil:
				return err
			case asJSON && !once:
				return usageRemedy("-o json requires --once", remedy.Command("watch", "--once", "-o", "json"))
			}
			var out *os.File
			if !once {
				if out, err = terminal(proc); err != nil {
					return err
				}
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				if once {
					return watchOnce(cmd.Context(), proc, screen{c.Feed(), g.name, nil}, asJSON)
				}
				if err := watch(cmd.Context(), proc, screen{c.Feed(), g.name, out}, false); !errors.Is(err, tui.ErrInterrupted) {
					return err
				}
				// Ctrl-C is a normal way to leave the screen.
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print what the screen shows and exit; needs no terminal")
	outputFlag(cmd, g)
	return cmd
}

// usageRemedy returns a usage error with remedies.
func usageRemedy(text string, remedies ...remedy.Remedy) error {
	return &codedError{exitUsage, remedy.New(text, remedies...)}
}

// terminal returns standard output if it is a terminal, and a usage error otherwise.
func terminal(proc process) (*os.File, error) {
	if out, ok := proc.stdout.(*os.File); ok && term.IsTerminal(int(out.Fd())) {
		return out, nil
	}
	return nil, usageRemedy("the screen needs a terminal, but standard output is not one", remedy.Command("watch", "--once", "-o", "json"))
}

// screen is what the screen of a sandbox shows, and on which terminal.
type screen struct {
	feed telemetry.Feed
	name string
	out  *os.File
}

// watch shows the screen until the user leaves it or, with untilDone, until the scenario has ended. It returns tui.ErrInterrupted after Ctrl-C.
func watch(ctx context.Context, proc process, s screen, untilDone bool) error {
	err := tui.Run(ctx, s.feed, screenOptions(proc, s.out, s.name, untilDone))
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil && !errors.Is(err, tui.ErrInterrupted):
		return fmt.Errorf("showing the screen: %w", err)
	}
	return err
}

func screenOptions(proc process, out *os.File, name string, untilDone bool) tui.Options {
	g := globals{name: name}
	return tui.Options{In: proc.stdin, Out: out, Name: name, NoColor: proc.getenv("NO_COLOR") != "", ExitWhenDone: untilDone, Command: g.commandLine}
}
