package images

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Program is an image of one static program on an empty base: the file, CA certificates, and a user that is not root.
type Program struct {
	Binary     Binary
	Entrypoint []string
	User       string
}

// Sources implements Recipe.
func (p Program) Sources() []string {
	return append(codeOf("program", "binary", "layer"), p.Binary.files()...)
}

// Needs implements Recipe.
func (p Program) Needs() []string { return nil }

// Build implements Recipe.
func (p Program) Build(ctx context.Context, w *Workshop) (v1.Image, error) {
	file, err := w.compile(ctx, p.Binary, w.Scratch)
	if err != nil {
		return nil, err
	}
	layer, err := writeLayer(filepath.Join(w.Scratch, "program.tar"), func(tw *tar.Writer) error {
		if err := addBase(tw); err != nil {
			return err
		}
		return addFile(tw, p.Binary.Name(), file, 0o755)
	})
	if err != nil {
		return nil, err
	}
	return assemble(v1.Config{Entrypoint: p.Entrypoint, User: p.User, Env: []string{"PATH=/"}, WorkingDir: "/"}, layer)
}

// addBase writes what a static program may look for: a world-writable /tmp, and the host's CA certificates where it has some.
func addBase(tw *tar.Writer) error {
	for name, mode := range map[string]int64{"tmp/": 0o1777} {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeDir, ModTime: epoch, Format: tar.FormatPAX}); err != nil {
			return err
		}
	}
	const bundle = "etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat("/" + bundle); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return addFile(tw, bundle, "/"+bundle, 0o644)
}

// assemble makes an image for this machine's architecture.
func assemble(config v1.Config, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layers...)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Config, file.OS, file.Architecture = config, "linux", runtime.GOARCH
	return mutate.ConfigFile(img, file)
}
