package sandbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/release"
)

// ImageOptions are the options of MakeImages.
type ImageOptions struct {
	// Folders has the cache of the images.
	Folders Folders
	// Mode is where images may come from.
	Mode images.Mode
	// SourceTree is the checkout to build from. It may be empty, and then nothing is built.
	SourceTree string
	// Observe receives the progress. It may be nil.
	Observe func(Progress)
}

// MakeImages pulls or builds all images that are not in the cache, in the order in which Up needs them.
func MakeImages(ctx context.Context, o ImageOptions) ([]images.Ready, error) {
	cache, err := images.OpenCache(o.Folders.Images())
	if err != nil {
		return nil, err
	}
	store := &images.Store{Cache: cache, Registry: images.NewRegistry(), Mode: o.Mode, SourceTree: o.SourceTree, Observe: func(e images.Event) {
		if o.Observe != nil {
			o.Observe(imageProgress(e.Ref, e))
		}
	}}
	var ready []images.Ready
	for _, i := range images.All() {
		r, err := store.Get(ctx, i)
		if err != nil {
			return ready, err
		}
		ready = append(ready, r)
	}
	return ready, nil
}

// SaveBundle makes all images and writes them, with the charts that are not ours, to one file. The file gets its name only when it is complete.
func SaveBundle(ctx context.Context, o ImageOptions, file string) error {
	ready, err := MakeImages(ctx, o)
	if err != nil {
		return err
	}
	charts, err := upstreamCharts(ctx, o)
	if err != nil {
		return err
	}
	cache, err := images.OpenCache(o.Folders.Images())
	if err != nil {
		return err
	}
	part := file + ".part"
	f, err := os.Create(part)
	if err != nil {
		return fmt.Errorf("saving the bundle: %w", err)
	}
	defer os.Remove(part)
	err = cache.Save(ctx, f, ready, charts)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("saving the bundle: %w", err)
	}
	return os.Rename(part, file)
}

// upstreamCharts fetches the charts that are not ours, and returns their files by their names below the cache folder.
func upstreamCharts(ctx context.Context, o ImageOptions) (map[string]string, error) {
	files := map[string]string{}
	for _, r := range Releases() {
		if r.Upstream == nil {
			continue
		}
		if _, err := release.UpstreamChart(ctx, o.Folders.Cache, o.SourceTree, *r.Upstream); err != nil {
			return nil, err
		}
		file := release.ChartFile(o.Folders.Cache, *r.Upstream)
		name, err := filepath.Rel(o.Folders.Cache, file)
		if err != nil {
			return nil, err
		}
		files[name] = file
	}
	return files, nil
}

// LoadBundle reads what SaveBundle wrote into the cache, and returns the number of images.
func LoadBundle(ctx context.Context, f Folders, bundle io.Reader) (int, error) {
	cache, err := images.OpenCache(f.Images())
	if err != nil {
		return 0, err
	}
	entries, err := cache.Load(ctx, bundle, f.Cache)
	return len(entries), err
}
