package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

func newOpen(proc process, g *globals) *cobra.Command {
	ports := map[string]int{"prometheus": live.PrometheusPort, "jaeger": live.JaegerPort}
	cmd := &cobra.Command{
		Use:       "open prometheus|jaeger",
		Short:     "Make Prometheus or Jaeger reachable from this machine, until Ctrl-C",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"prometheus", "jaeger"},
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			c, err := openCluster(cmd.Context(), proc, g)
			if err != nil {
				return err
			}
			defer c.Close()
			f, err := c.Kube.Forward(cmd.Context(), charts.SystemNamespace, args[0], ports[args[0]])
			if err != nil {
				return err
			}
			defer f.Close()
			if err := printOpened(proc.stdout, openDocument{Release: args[0], URL: "http://" + f.Address, Pod: f.Pod}, asJSON); err != nil {
				return err
			}
			fmt.Fprintln(proc.stderr, "open until you press Ctrl-C")
			select {
			case <-cmd.Context().Done():
				return nil
			case <-f.Done():
				return remedy.Errorf(remedy.Command("open", args[0]), "port-forward to %s closed: pod %s is gone", args[0], f.Pod)
			}
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// openDocument is what `open -o json` prints once the port is open. Add fields; never rename one.
type openDocument struct {
	Release string `json:"release"`
	URL     string `json:"url"`
	Pod     string `json:"pod"`
}

func printOpened(out io.Writer, doc openDocument, asJSON bool) error {
	if asJSON {
		return writeJSON(out, doc)
	}
	_, err := fmt.Fprintln(out, doc.URL)
	return err
}
