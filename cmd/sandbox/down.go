package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kubeconfig"
)

func newDown(proc process, g *globals) *cobra.Command {
	var stop bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove the sandbox: container, volume, network, kubeconfig and exported kubeconfig entries",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			folders, err := proc.folders()
			if err != nil {
				return err
			}
			if stop {
				stopping := func(holder string) { fmt.Fprintf(proc.stderr, "stopping %s\n", holder) }
				if err := sandbox.StopRun(cmd.Context(), folders, g.name, stopping); err != nil {
					return err
				}
			}
			forget := func() error { return kubeconfig.Forget(folders.Exported(g.name), g.name) }
			screen := newProgressScreen(proc, g)
			found, err := sandbox.Down(cmd.Context(), sandbox.DownOptions{Name: g.name, Engine: g.engine, Folders: folders, Observe: screen.observe, Forget: forget})
			screen.close()
			if err != nil {
				return err
			}
			doc := newDownDocument(g.name, found)
			if asJSON {
				return writeJSON(proc.stdout, doc)
			}
			doc.writeText(proc.stdout, g)
			return nil
		},
	}
	cmd.Flags().BoolVar(&stop, "stop-run", false, "first interrupt a running scenario and wait for its clean-up")
	outputFlag(cmd, g)
	return cmd
}

// downDocument is what `down -o json` prints. Add fields; never rename one.
type downDocument struct {
	Name  string `json:"name"`
	WasUp bool   `json:"wasUp"`
	// Unanswered are the engines that could not be searched.
	Unanswered []unansweredEngine `json:"unanswered,omitempty"`
}

type unansweredEngine struct {
	Engine string `json:"engine"`
	Error  string `json:"error"`
}

func newDownDocument(name string, r sandbox.DownReport) downDocument {
	return downDocument{Name: name, WasUp: r.Found, Unanswered: each(r.Unanswered, func(u sandbox.UnansweredEngine) unansweredEngine {
		return unansweredEngine{u.Engine, u.Err.Error()}
	})}
}

func (d downDocument) writeText(out io.Writer, g *globals) {
	switch {
	case d.WasUp:
		fmt.Fprintf(out, "sandbox %q is down\n", d.Name)
	case len(d.Unanswered) == 0:
		fmt.Fprintf(out, "sandbox %q was not up\n", d.Name)
	default:
		names := strings.Join(each(d.Unanswered, func(u unansweredEngine) string { return u.Engine }), ", ")
		fmt.Fprintf(out, "sandbox %q was not found; not searched, because there was no answer: %s\n", d.Name, names)
		again := remedy.Command("down", "--engine", d.Unanswered[0].Engine).If("the sandbox was made with it")
		fmt.Fprintln(out, strings.Join(again.Lines(g.commandLine), "\n"))
	}
}
