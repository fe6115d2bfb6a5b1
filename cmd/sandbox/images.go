package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

func newImages(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "images", Short: "List, build and save the images that the sandbox runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{Use: "list", Short: "List every image: origin, size, digest", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return listImages(proc, g) }}
	outputFlag(list, g)
	var mode string
	build := &cobra.Command{Use: "build", Short: "Build every image that is not in the cache", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := imageMode(mode)
			if err != nil {
				return err
			}
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			var ready []images.Ready
			err = withImages(proc, g, m, func(o sandbox.ImageOptions) (err error) {
				ready, err = sandbox.MakeImages(cmd.Context(), o)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(proc.stdout, map[string]any{"images": upImages(ready)})
			}
			return printBuilds(proc, ready)
		}}
	outputFlag(build, g)
	build.Flags().StringVar(&mode, "images", string(images.Source), "where images come from: auto, pull or source")
	save := &cobra.Command{Use: "save FILE", Short: "Write everything that `up --bundle FILE` needs to one file", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return saveBundle(cmd.Context(), proc, g, args[0]) }}
	cmd.AddCommand(list, build, save)
	return cmd
}

type imageRow struct {
	Ref string `json:"ref"`
	// Origin is empty if the image is not in the cache.
	Origin  images.Origin `json:"origin"`
	Size    int64         `json:"sizeBytes"`
	Digest  string        `json:"digest"`
	Purpose string        `json:"purpose"`
	Licence string        `json:"licence"`
}

func listImages(proc process, g *globals) error {
	asJSON, err := g.asJSON()
	if err != nil {
		return err
	}
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	cache, err := images.OpenCache(folders.Images())
	if err != nil {
		return err
	}
	entries, err := cache.Entries()
	if err != nil {
		return err
	}
	byRef := map[string]images.Entry{}
	for _, e := range entries {
		byRef[e.Ref] = e
	}
	rows := []imageRow{}
	for _, i := range images.All() {
		e := byRef[i.Ref]
		rows = append(rows, imageRow{Ref: i.Ref, Origin: e.Origin, Size: e.Size, Digest: e.Digest, Purpose: i.Purpose, Licence: i.Licence})
	}
	if asJSON {
		return writeJSON(proc.stdout, map[string]any{"images": rows})
	}
	t := tabwriter.NewWriter(proc.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tORIGIN\tMB\tDIGEST\tPURPOSE\tLICENCE")
	for _, r := range rows {
		origin, digest := string(r.Origin), r.Digest
		if origin == "" {
			origin, digest = "missing", "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%.19s\t%s\t%s\n", r.Ref, origin, r.Size/1e6, digest, r.Purpose, r.Licence)
	}
	return t.Flush()
}

// withImages calls do with the options for the images of this machine, and shows the progress.
func withImages(proc process, g *globals, mode images.Mode, do func(sandbox.ImageOptions) error) error {
	folders, err := proc.folders()
	if err != nil {
		return err
	}
	tree, err := sourceTree(g)
	if err != nil {
		return err
	}
	screen := newProgressScreen(proc, g)
	defer screen.close()
	return noProgram(do(sandbox.ImageOptions{Folders: folders, Mode: mode, SourceTree: tree, Observe: screen.observe}), proc)
}

func printBuilds(proc process, ready []images.Ready) error {
	t := tabwriter.NewWriter(proc.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tHOW\tMB\tBUILD SECONDS")
	for _, r := range ready {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\n", r.Ref, r.How, r.Size/1e6, r.Took.Round(100*time.Millisecond).Seconds())
	}
	return t.Flush()
}

func saveBundle(ctx context.Context, proc process, g *globals, file string) error {
	err := withImages(proc, g, images.Auto, func(o sandbox.ImageOptions) error { return sandbox.SaveBundle(ctx, o, file) })
	if err != nil {
		return err
	}
	fmt.Fprintln(proc.stdout, file)
	return nil
}

func loadBundle(ctx context.Context, file string, folders sandbox.Folders, stderr io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return usageError(remedy.Command("images", "save", file), "opening the bundle: %w", err)
	}
	defer f.Close()
	n, err := sandbox.LoadBundle(ctx, folders, f)
	if err != nil {
		return fmt.Errorf("loading the bundle %s: %w", file, err)
	}
	fmt.Fprintf(stderr, "bundle: %d images\n", n)
	return nil
}
