package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func newVersion(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of sandbox and of what it runs",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version, goVersion := "unknown", "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version, goVersion = info.Main.Version, info.GoVersion
			}
			fmt.Fprintf(w.stdout, "sandbox %s (%s)\nKubernetes %s, cert-manager %s, Prometheus %s, Jaeger %s\n", version, goVersion,
				images.KubernetesVersion, images.CertManagerVersion, images.PrometheusVersion, images.JaegerVersion)
			return nil
		},
	}
}
