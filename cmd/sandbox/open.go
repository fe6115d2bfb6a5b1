package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
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
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return openPort(cmd.Context(), proc, c.Kube, opened{args[0], ports[args[0]], asJSON})
			})
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// forwarder opens a port of a release.
type forwarder interface {
	Forward(ctx context.Context, namespace, release string, port int) (*kube.Forward, error)
}

type opened struct {
	release string
	port    int
	asJSON  bool
}

// openPort keeps the port open until ctx ends or the pod is gone.
func openPort(ctx context.Context, proc process, c forwarder, o opened) error {
	f, err := c.Forward(ctx, charts.SystemNamespace, o.release, o.port)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := printOpened(proc.stdout, openDocument{Release: o.release, URL: "http://" + f.Address, Pod: f.Pod}, o.asJSON); err != nil {
		return err
	}
	fmt.Fprintln(proc.stderr, "open until you press Ctrl-C")
	select {
	case <-ctx.Done():
		return nil
	case <-f.Done():
		return remedy.Errorf(remedy.Command("open", o.release), "port-forward to %s closed: pod %s is gone", o.release, f.Pod)
	}
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
