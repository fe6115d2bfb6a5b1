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
	"github.com/grpc-sandbox/sandbox/sandbox/kubeconfig"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
)

type upFlags struct {
	setup, onlySetup, yes bool
	forTests              bool
	images, bundle        string
	exportKubeconfig      bool
}

func newUp(proc process, g *globals) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Create the sandbox, or complete or repair an existing one",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runUp(cmd, proc, g, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.setup, "setup", false, "install missing packages with the system's package manager; asks first on a terminal")
	flags.BoolVar(&f.onlySetup, "only-setup", false, "with --setup: install missing packages and stop")
	flags.BoolVar(&f.forTests, "for-tests", false, "with --setup: also install PostgreSQL, which this project's own tests need")
	flags.BoolVar(&f.yes, "yes", false, "with --setup: do not ask")
	flags.StringVar(&f.images, "images", string(images.Auto), "where images come from: auto, pull or source")
	flags.StringVar(&f.bundle, "bundle", "", "load images from a `FILE` that \"sandbox images save\" wrote")
	outputFlag(cmd, g)
	flags.BoolVar(&f.exportKubeconfig, "export-kubeconfig", false, "also merge the cluster into your own kubeconfig")
	return cmd
}

func runUp(cmd *cobra.Command, proc process, g *globals, f upFlags) error {
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
			return usageError(remedy.Command("up", "--setup", "--"+flag), "--%s requires --setup", flag)
		}
	}
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	tree, err := sourceTree(g)
	if err != nil {
		return err
	}
	if f.setup {
		if err := setUp(cmd.Context(), proc, g, f); err != nil {
			return err
		}
		if f.onlySetup {
			return nil
		}
	}
	if f.bundle != "" {
		if err := loadBundle(cmd.Context(), f.bundle, folders, proc.stderr); err != nil {
			return err
		}
	}
	held, err := live.HeldFields(folders, g.name)
	if err != nil {
		return err
	}
	screen := newProgressScreen(proc, g)
	result, err := sandbox.Up(cmd.Context(), sandbox.UpOptions{
		Name: g.name, Engine: g.engine, Images: mode, SourceTree: tree, Folders: folders, Observe: screen.observe,
		FirstCall: live.FirstCall, LoadCall: live.LoadCall, Held: held,
	})
	screen.close()
	if err != nil {
		if len(held) > 0 {
			// A change that a killed run left behind may be the cause.
			err = remedy.Wrap(err, remedy.Command("undo"))
		}
		return noProgram(noEngine(err, proc, g, f.setup), proc)
	}
	if f.exportKubeconfig {
		added, err := kubeconfig.Export(folders.Kubeconfig(g.name), folders.Exported(g.name), proc.getenv("HOME"))
		if err != nil {
			return err
		}
		fmt.Fprintf(proc.stderr, "kubectl: added context %s to %s\n", added.Context, added.File)
	}
	printSteps(proc.stderr, result)
	if asJSON {
		return writeJSON(proc.stdout, newUpDocument(g.name, result))
	}
	fmt.Fprintf(proc.stdout, "sandbox %q is up\n", g.name)
	fmt.Fprintf(proc.stderr, "\nnext: %s · %s · %s · %s\nkubectl: export KUBECONFIG=%s\n",
		g.command("run pod-kill"), g.command("watch"), g.command("status"), g.command("partner add acme"), remedy.Quote(folders.Kubeconfig(g.name)))
	return nil
}

func imageMode(s string) (images.Mode, error) {
	switch m := images.Mode(s); m {
	case images.Auto, images.Pull, images.Source:
		return m, nil
	}
	return "", usageError(remedy.Flag("images", "auto"), "--images %q: want auto, pull or source", s)
}

// sourceTree returns the checkout that images are built from: that of --source, or the one that contains the working directory. It is empty if there
// is none.
func sourceTree(g *globals) (string, error) {
	if g.source != "" {
		folder, err := filepath.Abs(g.source)
		if err != nil {
			return "", err
		}
		tree := sandbox.FindSourceTree(folder)
		if tree == "" {
			return "", usageError(remedy.Advice("--source FOLDER, with the folder that contains its go.mod"), "--source %s: not a checkout of this project", g.source)
		}
		return tree, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", nil //nolint:nilerr // a working directory that was deleted is in no checkout
	}
	return sandbox.FindSourceTree(here), nil
}

// printSteps prints how long each step took, in seconds. The steps below "releases" overlap.
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
	fmt.Fprintf(t, "sandbox overhead\t\t%.1f\n", r.Own.Seconds())
	t.Flush()
}

// upDocument is what `up -o json` prints. Add fields; never rename one.
type upDocument struct {
	Name   string    `json:"name"`
	Steps  []upStep  `json:"steps"`
	Images []upImage `json:"images"`
	// FirstCall is 0 if no call was made.
	FirstCall float64 `json:"firstCallSeconds"`
	Total     float64 `json:"totalSeconds"`
	// Own is the overhead of sandbox: the part of Total in which neither kind worked nor a workload was starting.
	Own float64 `json:"ownSeconds"`
}

type upStep struct {
	Name  string  `json:"name"`
	Start float64 `json:"startSeconds"`
	Took  float64 `json:"seconds"`
}

type upImage struct {
	Ref string        `json:"ref"`
	How images.Origin `json:"how"`
	// Built is how long it took to make the image, possibly by an earlier command.
	Built float64 `json:"madeInSeconds"`
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
