package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/tui"
)

func newWatch(w world, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Show call rates, breakers, pods and the running scenario, live",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := terminal(w)
			if err != nil {
				return err
			}
			s, err := openSession(cmd.Context(), w, g)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.watch(cmd.Context(), w, out, false); !errors.Is(err, tui.ErrInterrupted) {
				return err
			}
			return nil // to look is all that was asked for
		},
	}
}

// terminal is standard output when it is a terminal.
func terminal(w world) (*os.File, error) {
	if out, ok := w.stdout.(*os.File); ok && term.IsTerminal(int(out.Fd())) {
		return out, nil
	}
	return nil, usageError("the screen needs a terminal, and standard output is none\ntry: sandbox status -o json")
}

// watch shows the screen until the user leaves it, or until the scenario is done. tui.ErrInterrupted: by Ctrl-C.
func (s *session) watch(ctx context.Context, w world, out *os.File, untilDone bool) error {
	err := tui.Run(ctx, newFeed(s), screenOptions(w, out, s.name, untilDone))
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil && !errors.Is(err, tui.ErrInterrupted):
		return fmt.Errorf("showing the screen: %w", err)
	}
	return err
}

func screenOptions(w world, out *os.File, name string, untilDone bool) tui.Options {
	return tui.Options{In: w.stdin, Out: out, Name: name, NoColor: w.getenv("NO_COLOR") != "", ExitWhenDone: untilDone}
}
