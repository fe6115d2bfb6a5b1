package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox"
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
				if err := stopRun(cmd.Context(), proc, folders, g.name); err != nil {
					return err
				}
			}
			forget := func() error {
				files, err := exported(folders, g.name)
				return errors.Join(err, forgetKubeconfig(files, g.name))
			}
			screen := newProgressScreen(proc)
			found, err := sandbox.Down(cmd.Context(), sandbox.DownOptions{Name: g.name, Engine: g.engine, Folders: folders, Observe: screen.observe, Forget: forget})
			screen.close()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(proc.stdout, downDocument{Name: g.name, WasUp: found})
			}
			if found {
				fmt.Fprintf(proc.stdout, "sandbox %q is down\n", g.name)
			} else {
				fmt.Fprintf(proc.stdout, "sandbox %q was not up\n", g.name)
			}
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
}
