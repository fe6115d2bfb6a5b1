package images

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Program is an image of one static program on an empty base: the file, CA certificates, and a user that is not root.
type Program struct {
	// Binary is the program, Entrypoint the command that starts it in the image, and User the numeric user, or user:group, that it runs as.
	Binary     Binary
	Entrypoint []string
	User       string
}

// Sources implements Recipe.
func (p Program) Sources() []string {
	return append(codeOf("program", "binary", "layer", "inode_unix"), p.Binary.files()...)
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
		if err := addBase(tw, "/"); err != nil {
			return err
		}
		return addFile(tw, p.Binary.Name(), file, 0o755)
	})
	if err != nil {
		return nil, err
	}
	return assemble(v1.Config{Entrypoint: p.Entrypoint, User: p.User, Env: []string{"PATH=/"}, WorkingDir: "/"}, layer)
}

// addBase writes the files that a static program may look for: a world-writable /tmp, and the CA certificates of the machine whose root is host.
func addBase(tw *tar.Writer, host string) error {
	bundle, err := caBundle(host)
	if err != nil {
		return err
	}
	for name, mode := range map[string]int64{"tmp/": 0o1777} {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: mode, Typeflag: tar.TypeDir, ModTime: epoch, Format: tar.FormatPAX}); err != nil {
			return err
		}
	}
	return addFile(tw, caBundles[0], bundle, 0o644)
}

// caBundles are the paths at which distributions keep the CA certificates, below their root: Debian, Fedora, SUSE, Alpine. The image has them at
// the first path.
var caBundles = []string{"etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/ca-bundle.pem", "etc/ssl/cert.pem"}

// caBundle finds the CA certificates of the machine whose root is host. Without them, a program could not verify any public server.
func caBundle(host string) (string, error) {
	for _, bundle := range caBundles {
		file := filepath.Join(host, bundle)
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			return file, nil
		}
	}
	return "", remedy.New("the image needs CA certificates, and this machine has none", remedy.Advice("install the package ca-certificates"))
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
