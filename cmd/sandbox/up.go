package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

type upFlags struct {
	setup, onlySetup, yes bool
	forTests              bool
	images, bundle        string
	exportKubeconfig      bool
}

func newUp(w world, g *globals) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the sandbox up, or complete or repair what is there",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runUp(cmd, w, g, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.setup, "setup", false, "install what is missing with the system's package manager; asks first on a terminal")
	flags.BoolVar(&f.onlySetup, "only-setup", false, "with --setup: install what is missing and stop")
	flags.BoolVar(&f.forTests, "for-tests", false, "with --setup: also install what this project's own tests need, a PostgreSQL server")
	flags.BoolVar(&f.yes, "yes", false, "with --setup: do not ask")
	flags.StringVar(&f.images, "images", string(images.Auto), "how images come to be: auto, pull or source")
	flags.StringVar(&f.bundle, "bundle", "", "take images from a file that `sandbox images save` wrote")
	outputFlag(cmd, g)
	flags.BoolVar(&f.exportKubeconfig, "export-kubeconfig", false, "also merge the cluster into your own kubeconfig")
	return cmd
}

func runUp(cmd *cobra.Command, w world, g *globals, f upFlags) error {
	mode, err := imageMode(f.images)
	if err != nil {
		return err
	}
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	for _, flag := range []string{"only-setup", "for-tests", "yes"} {
		if cmd.Flags().Changed(flag) && !f.setup {
			return usageError(remedy.Command("up", "--setup", "--"+flag), "--%s goes with --setup", flag)
		}
	}
	folders, err := w.folders()
	if err != nil {
		return err
	}
	tree, err := sourceTree(g)
	if err != nil {
		return err
	}
	if f.setup {
		if err := setUp(cmd.Context(), w, g, f); err != nil {
			return err
		}
		if f.onlySetup {
			return nil
		}
	}
	if f.bundle != "" {
		if err := loadBundle(cmd.Context(), f.bundle, folders, w.stderr); err != nil {
			return err
		}
	}
	held, err := live.HeldFields(folders, g.name)
	if err != nil {
		return err
	}
	screen := newProgressScreen(w)
	result, err := sandbox.Up(cmd.Context(), sandbox.UpOptions{
		Name: g.name, Engine: g.engine, Images: mode, SourceTree: tree, Folders: folders, Observe: screen.observe,
		FirstCall: live.FirstCall, LoadCall: live.LoadCall, Held: held,
	})
	screen.close()
	if err != nil {
		if len(held) > 0 { // what a killed run changed may be why
			err = remedy.Wrap(err, remedy.Command("undo"))
		}
		return noProgram(noEngine(err, w, g, f.setup), w)
	}
	if f.exportKubeconfig {
		if err := exportKubeconfig(cmd.Context(), folders, g.name, w); err != nil {
			return err
		}
	}
	printSteps(w.stderr, result)
	if asJSON {
		return writeJSON(w.stdout, newUpDocument(g.name, result))
	}
	fmt.Fprintf(w.stdout, "sandbox %s is up\n", g.name)
	fmt.Fprintf(w.stderr, "\nnext: sandbox run pod-kill · sandbox watch · sandbox status\nkubectl: export KUBECONFIG=%s\n", remedy.Quote(folders.Kubeconfig(g.name)))
	return nil
}

func imageMode(s string) (images.Mode, error) {
	switch m := images.Mode(s); m {
	case images.Auto, images.Pull, images.Source:
		return m, nil
	}
	return "", usageError(remedy.Flag("images", "auto"), "--images %q is none of auto, pull, source", s)
}

// sourceTree is the checkout that images are built from: the one named, or the one the working folder lies in. It is empty where there is none.
func sourceTree(g *globals) (string, error) {
	if g.source != "" {
		folder, err := filepath.Abs(g.source)
		if err != nil {
			return "", err
		}
		tree := sandbox.FindSourceTree(folder)
		if tree == "" {
			return "", usageError(remedy.Advice("--source FOLDER, the one that holds its go.mod"), "--source %s: no checkout of this project is there", g.source)
		}
		return tree, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", nil //nolint:nilerr // a working folder that is gone lies in no checkout
	}
	return sandbox.FindSourceTree(here), nil
}

// printSteps prints the seconds of each step; steps below "releases" overlap.
func printSteps(out io.Writer, r sandbox.UpResult) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSTEP\tFROM\tSECONDS")
	for _, s := range r.Steps {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\n", s.Step, s.Start.Seconds(), s.Took.Seconds())
	}
	if r.First > 0 {
		fmt.Fprintf(t, "first successful call\t\t%.1f\n", r.First.Seconds())
	}
	fmt.Fprintf(t, "all\t\t%.1f\n", r.Total.Round(100*time.Millisecond).Seconds())
	fmt.Fprintf(t, "of it neither kind nor a starting workload\t\t%.1f\n", r.Own.Seconds())
	t.Flush()
}

// upDocument is what `up -o json` prints. Add fields; never rename one.
type upDocument struct {
	Name      string    `json:"name"`
	Steps     []upStep  `json:"steps"`
	Images    []upImage `json:"images"`
	FirstCall float64   `json:"firstCallSeconds"` // 0 when none was made
	Total     float64   `json:"totalSeconds"`
	Own       float64   `json:"ownSeconds"` // of the total: neither kind nor a starting workload was working
}

type upStep struct {
	Name  string  `json:"name"`
	Start float64 `json:"startSeconds"`
	Took  float64 `json:"seconds"`
}

type upImage struct {
	Ref   string        `json:"ref"`
	How   images.Origin `json:"how"`
	Built float64       `json:"madeInSeconds"` // when it was made, which may be long ago
}

func newUpDocument(name string, r sandbox.UpResult) upDocument {
	doc := upDocument{Name: name, Steps: []upStep{}, Images: upImages(r.Images), FirstCall: r.First.Seconds(), Total: r.Total.Seconds(), Own: r.Own.Seconds()}
	for _, s := range r.Steps {
		doc.Steps = append(doc.Steps, upStep{s.Step, s.Start.Seconds(), s.Took.Seconds()})
	}
	return doc
}

func upImages(all []images.Ready) []upImage {
	out := []upImage{}
	for _, i := range all {
		out = append(out, upImage{i.Ref, i.How, i.Took.Seconds()})
	}
	return out
}
