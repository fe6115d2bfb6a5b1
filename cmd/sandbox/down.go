package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

func newDown(w world, g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Remove the sandbox: container, volume, network, kubeconfig, and what --export-kubeconfig wrote",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folders, err := w.folders()
			if err != nil {
				return err
			}
			files, err := exported(folders, g.name) // read now: its place goes with the sandbox
			if err != nil {
				return err
			}
			screen := newProgressScreen(w)
			found, err := sandbox.Down(cmd.Context(), sandbox.DownOptions{Name: g.name, Engine: g.engine, Folders: folders, Observe: screen.observe})
			screen.close()
			if err != nil {
				return err
			}
			if err := forgetKubeconfig(files, g.name); err != nil {
				return err
			}
			if found {
				fmt.Fprintf(w.stdout, "sandbox %s is down\n", g.name)
			} else {
				fmt.Fprintf(w.stdout, "sandbox %s was not up\n", g.name)
			}
			return nil
		},
	}
}
