package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

func newDoctor(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the machine and the sandbox, and show how to fix problems",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			host, c, err := doctorHost(cmd.Context(), proc, g)
			if err != nil {
				return err
			}
			if c != nil {
				defer c.Close()
			}
			findings := doctor.Run(cmd.Context(), host, nil)
			if err := cmd.Context().Err(); err != nil {
				// The remaining checks were skipped.
				return fmt.Errorf("checking: %w", err)
			}
			if asJSON {
				err = writeJSON(proc.stdout, doctor.NewDocument(findings, g.commandLine))
			} else {
				err = printFindings(proc, g, findings)
			}
			if err != nil {
				return err
			}
			return failedChecks(findings)
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// failedChecks returns an error that names the checks that failed, with the fix of the first one. It is nil if none failed.
func failedChecks(findings []doctor.Finding) error {
	var failed []string
	var fix remedy.Remedy
	for _, f := range findings {
		if f.Outcome != doctor.Fail {
			continue
		}
		if failed = append(failed, f.ID); fix.IsZero() {
			fix = f.Fix
		}
	}
	if len(failed) == 0 {
		return nil
	}
	noun := "checks"
	if len(failed) == 1 {
		noun = "check"
	}
	return &codedError{code: exitEnvironment, err: remedy.New(fmt.Sprintf("%d %s failed: %s", len(failed), noun, strings.Join(failed, ", ")), fix)}
}

func printFindings(proc process, g *globals, findings []doctor.Finding) error {
	marks := map[doctor.Outcome]string{doctor.Pass: "✓ pass", doctor.Warn: "! warn", doctor.Fail: "✗ fail", doctor.Skip: "- skip"}
	t := tabwriter.NewWriter(proc.stdout, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", marks[f.Outcome], f.Category, f.ID, f.Message)
		if f.Fix.IsZero() {
			continue
		}
		for _, line := range f.Fix.Lines(g.commandLine) {
			fmt.Fprintf(t, "\t\t\t%s\n", line)
		}
	}
	return t.Flush()
}

// doctorHost returns what the checks examine: this machine and, if the sandbox is up, its cluster, which the caller must close.
func doctorHost(ctx context.Context, proc process, g *globals) (doctor.Host, *live.Cluster, error) {
	folders, err := proc.folders()
	if err != nil {
		return doctor.Host{}, nil, err
	}
	tree, err := sourceTree(g)
	if err != nil {
		return doctor.Host{}, nil, err
	}
	host, err := live.Machine(ctx, live.MachineOptions{Getenv: proc.getenv, Folders: folders, Name: g.name, Engine: g.engine, SourceTree: tree})
	if err != nil {
		return host, nil, err
	}
	c, err := openCluster(ctx, proc, g)
	var notUp *sandbox.NotUpError
	switch {
	case err == nil:
		host.Cluster = c.Doctor()
	case !errors.As(err, &notUp):
		// The damage is reported as a finding, and the machine is still examined.
		host.Damage = err
	}
	return host, c, nil
}
