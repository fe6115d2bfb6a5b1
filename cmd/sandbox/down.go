package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

func newDown(w world, g *globals) *cobra.Command {
	var stop bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove the sandbox: container, volume, network, kubeconfig, and what --export-kubeconfig wrote",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			folders, err := w.folders()
			if err != nil {
				return err
			}
			if stop {
				if err := stopRun(cmd.Context(), w, folders, g.name); err != nil {
					return err
				}
			}
			forget := func() error {
				files, err := exported(folders, g.name)
				return errors.Join(err, forgetKubeconfig(files, g.name))
			}
			screen := newProgressScreen(w)
			found, err := sandbox.Down(cmd.Context(), sandbox.DownOptions{Name: g.name, Engine: g.engine, Folders: folders, Observe: screen.observe, Forget: forget})
			screen.close()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(w.stdout, downDocument{Name: g.name, WasUp: found})
			}
			if found {
				fmt.Fprintf(w.stdout, "sandbox %s is down\n", g.name)
			} else {
				fmt.Fprintf(w.stdout, "sandbox %s was not up\n", g.name)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&stop, "stop-run", false, "first end the scenario that is running, and wait for its clean-up")
	outputFlag(cmd, g)
	return cmd
}

// downDocument is what `down -o json` prints. Add fields; never rename one.
type downDocument struct {
	Name  string `json:"name"`
	WasUp bool   `json:"wasUp"`
}
