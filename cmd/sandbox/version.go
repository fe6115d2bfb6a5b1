package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func newVersion(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of sandbox and its components",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			version, goVersion := "unknown", "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version, goVersion = info.Main.Version, info.GoVersion
			}
			if asJSON {
				return writeJSON(proc.stdout, map[string]string{"sandbox": version, "go": goVersion, "kubernetes": images.KubernetesVersion,
					"certManager": images.CertManagerVersion, "prometheus": images.PrometheusVersion, "jaeger": images.JaegerVersion})
			}
			fmt.Fprintf(proc.stdout, "sandbox %s (%s)\nKubernetes %s, cert-manager %s, Prometheus %s, Jaeger %s\n", version, goVersion,
				images.KubernetesVersion, images.CertManagerVersion, images.PrometheusVersion, images.JaegerVersion)
			return nil
		},
	}
	outputFlag(cmd, g)
	return cmd
}
