package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

func newOpen(proc process, g *globals) *cobra.Command {
	pages := map[string]charts.Release{}
	var names []string
	for _, r := range sandbox.Releases() {
		if r.Page > 0 {
			pages[r.Name] = r
			names = append(names, r.Name)
		}
	}
	cmd := &cobra.Command{
		Use:       "open " + strings.Join(names, "|"),
		Short:     "Make the page of " + strings.Join(names, " or ") + " reachable from this machine, until Ctrl-C",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error {
				return openPort(cmd.Context(), proc, c.Kube, opened{pages[args[0]], asJSON})
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
	release charts.Release
	asJSON  bool
}

// openPort keeps the port open until ctx ends or the pod is gone.
func openPort(ctx context.Context, proc process, c forwarder, o opened) error {
	f, err := c.Forward(ctx, o.release.Namespace, o.release.Name, o.release.Page)
	if err != nil {
		return err
	}
	defer f.Close()
	url, err := pageURL(o.release, f.Address)
	if err != nil {
		return err
	}
	if err := printOpened(proc.stdout, openDocument{Release: o.release.Name, URL: url, Pod: f.Pod}, o.asJSON); err != nil {
		return err
	}
	fmt.Fprintln(proc.stderr, "open until you press Ctrl-C")
	select {
	case <-ctx.Done():
		return nil
	case <-f.Done():
		return remedy.Errorf(remedy.Command("open", o.release.Name), "port-forward to %s closed: pod %s is gone", o.release.Name, f.Pod)
	}
}

// pageURL returns the URL of a release's page at an address of this machine. Certificates of the sandbox name localhost, and not its address.
func pageURL(r charts.Release, address string) (string, error) {
	if !r.PageTLS {
		return "http://" + address, nil
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("reading the address of the port-forward: %w", err)
	}
	return "https://" + net.JoinHostPort("localhost", port), nil
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
