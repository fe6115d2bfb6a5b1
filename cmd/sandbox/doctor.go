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
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
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
	host := doctor.ThisHost(proc.getenv)
	folders, err := proc.folders()
	if err != nil {
		return host, nil, err
	}
	if _, err := sandbox.PrepareEngines(folders); err != nil {
		return host, nil, err
	}
	meant := engineMeant(g, folders)
	choice, refused := cluster.Choose(ctx, meant, func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) })
	host.EngineProbe = func(context.Context) error { return refused }
	if meant != "" {
		// An engine that does not work is still the one to examine: no other one would be used.
		host.Engine = meant
	}
	if refused == nil {
		host.Engine = choice.Engine.Name
		host.EngineStorage = choice.Engine.Storage
	}
	host.SetsUp = true
	host.CacheDir, host.Registries = folders.Images(), images.Registries()
	tree, err := sourceTree(g)
	if err != nil {
		return host, nil, err
	}
	if tree != "" {
		host.Lacking = func(context.Context) ([]doctor.Lacking, error) { return imagesLacking(folders, tree) }
	}
	host.CacheIntact = func(ctx context.Context) error { return cacheIntact(ctx, folders) }
	host.Kubeconfig = folders.Kubeconfig(g.name)
	host.LeftBehind = func() ([]string, error) {
		left, err := live.Leftovers(folders, g.name)
		var all []string
		for _, l := range left {
			all = append(all, l.String())
		}
		return all, err
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

// engineMeant returns the engine of --engine, or the one that the sandbox runs on. It is empty if there is no preference.
func engineMeant(g *globals, folders sandbox.Folders) string {
	if g.engine != "" {
		return g.engine
	}
	engine, err := sandbox.EngineOf(folders, g.name)
	if err != nil {
		// The state is damaged. Opening the sandbox reports that.
		return ""
	}
	return engine
}

func cacheIntact(ctx context.Context, f sandbox.Folders) error {
	cache, err := images.OpenCache(f.Images())
	if err != nil {
		return err
	}
	return cache.VerifyAll(ctx)
}

// imagesLacking returns the images of the catalog that `up` would have to pull or to build from tree.
func imagesLacking(f sandbox.Folders, tree string) ([]doctor.Lacking, error) {
	cache, err := images.OpenCache(f.Images())
	if err != nil {
		return nil, err
	}
	store := images.Store{Cache: cache, SourceTree: tree}
	var all []doctor.Lacking
	for _, i := range images.All() {
		missing, err := store.Missing(i)
		if err != nil {
			return nil, err
		}
		if missing {
			all = append(all, doctor.Lacking{Ref: i.Ref, Registry: images.RegistryOf(i.Pull), Needs: append([]string{"go"}, i.Recipe.Needs()...)})
		}
	}
	return all, nil
}
