package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

func newLogs(w world, g *globals) *cobra.Command {
	var lines int64
	cmd := &cobra.Command{
		Use:   "logs RELEASE",
		Short: "Print the last log lines of a release's pods",
		Args:  cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(func() []string {
			_, names := findLogged("")
			return names
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := findRelease(args[0])
			if err != nil {
				return err
			}
			s, err := openSession(cmd.Context(), w, g)
			if err != nil {
				return err
			}
			defer s.close()
			pods, err := kube.Workloads{Client: s.client, Namespace: r.Namespace}.PodsBy(cmd.Context(), r.Selector)
			if err != nil {
				return err
			}
			for _, p := range pods {
				text, err := s.client.Logs(cmd.Context(), r.Namespace, p.Name, lines)
				if err != nil {
					return fmt.Errorf("reading the log of %s: %w", p.Name, err)
				}
				for line := range strings.Lines(text + "\n") {
					fmt.Fprintf(w.stdout, "%s  %s", p.Name, line)
				}
			}
			return nil
		},
	}
	cmd.Flags().Int64Var(&lines, "lines", 50, "how many lines of each pod")
	return cmd
}

func findRelease(name string) (charts.Release, error) {
	r, names := findLogged(name)
	if r == nil {
		return charts.Release{}, usageError(remedy.OneOf(names...), "%q is no release with pods", name)
	}
	return *r, nil
}

// findLogged looks a release up among those with pods, and names them all.
func findLogged(name string) (found *charts.Release, names []string) {
	for _, r := range sandbox.Releases() {
		if r.Selector == "" {
			continue
		}
		if r.Name == name {
			found = &r
		}
		names = append(names, r.Name)
	}
	return found, names
}
