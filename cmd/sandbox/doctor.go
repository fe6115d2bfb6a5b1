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

func newDoctor(w world, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the machine and the sandbox, each finding with its fix",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			patient, c, err := doctorHost(cmd.Context(), w, g)
			if err != nil {
				return err
			}
			if c != nil {
				defer c.Close()
			}
			findings := doctor.Run(cmd.Context(), patient, nil)
			if err := cmd.Context().Err(); err != nil {
				return fmt.Errorf("checking: %w", err) // what is left was skipped
			}
			if asJSON {
				err = writeJSON(w.stdout, doctor.NewDocument(findings, g.commandLine))
			} else {
				err = printFindings(w, g, findings)
			}
			if err != nil {
				return err
			}
			return unfit(findings)
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// unfit names the checks that failed, and the first thing to do about them.
func unfit(findings []doctor.Finding) error {
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
	return &codedError{code: exitEnvironment, err: remedy.New("not fit: "+strings.Join(failed, ", "), fix)}
}

func printFindings(w world, g *globals, findings []doctor.Finding) error {
	marks := map[doctor.Outcome]string{doctor.Pass: "✓ pass", doctor.Warn: "! warn", doctor.Fail: "✗ fail", doctor.Skip: "- skip"}
	t := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
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

// doctorHost returns this machine, with the sandbox's cluster when there is one.
func doctorHost(ctx context.Context, w world, g *globals) (doctor.Host, *live.Cluster, error) {
	patient := doctor.ThisHost(w.getenv)
	folders, err := w.folders()
	if err != nil {
		return patient, nil, err
	}
	if _, err := sandbox.PrepareEngines(folders); err != nil {
		return patient, nil, err
	}
	meant := engineMeant(g, folders)
	choice, refused := cluster.Choose(ctx, meant, func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) })
	patient.EngineProbe = func(context.Context) error { return refused }
	if meant != "" {
		patient.Engine = meant // also where it is refused: no other is of use
	}
	if refused == nil {
		patient.Engine = choice.Engine.Name
		patient.EngineStorage = choice.Engine.Storage
	}
	patient.SetsUp = true
	patient.CacheDir, patient.Registries = folders.Images(), images.Registries()
	tree, err := sourceTree(g)
	if err != nil {
		return patient, nil, err
	}
	if tree != "" {
		patient.Lacking = func(context.Context) ([]doctor.Lacking, error) { return imagesLacking(folders, tree) }
	}
	patient.CacheIntact = func(ctx context.Context) error { return cacheIntact(ctx, folders) }
	patient.Kubeconfig = folders.Kubeconfig(g.name)
	patient.LeftBehind = func() ([]string, error) {
		left, err := live.Leftovers(folders, g.name)
		var all []string
		for _, l := range left {
			all = append(all, l.String())
		}
		return all, err
	}
	c, err := openCluster(ctx, w, g)
	var notUp *sandbox.NotUpError
	switch {
	case err == nil:
		patient.Cluster = c.Doctor()
	case !errors.As(err, &notUp):
		patient.Damage = err // a finding like any other: the machine is examined all the same
	}
	return patient, c, nil
}

// engineMeant is the engine that was named, or the one that the sandbox runs on; empty where any will do.
func engineMeant(g *globals, folders sandbox.Folders) string {
	if g.engine != "" {
		return g.engine
	}
	engine, err := sandbox.EngineOf(folders, g.name)
	if err != nil {
		return "" // a damaged state names none; opening the sandbox will tell
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

// imagesLacking are the catalog's images that up would have to pull, or to build from tree.
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
