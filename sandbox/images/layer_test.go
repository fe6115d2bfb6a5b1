package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// tree creates a folder with everything that a layer must keep: modes and links of both kinds, and a file that it must omit.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "bin/tool"), "tool")
	write(t, filepath.Join(root, "etc/secret"), "secret")
	for path, mode := range map[string]os.FileMode{"bin/tool": 0o755 | os.ModeSetuid, "etc/secret": 0o600, "etc": 0o711} {
		if err := os.Chmod(filepath.Join(root, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("bin/tool", filepath.Join(root, "alias")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(root, "bin/tool"), filepath.Join(root, "bin/zz")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

type header struct {
	Name string
	Type byte
	Mode int64
	Link string
	Text string
}

func headers(t *testing.T, r io.Reader) []header {
	t.Helper()
	var all []header
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(epoch) {
			t.Errorf("%s has time %s", h.Name, h.ModTime)
		}
		all = append(all, header{h.Name, h.Typeflag, h.Mode, h.Linkname, string(text)})
	}
}

func TestAddFolder_KeepsModesAndLinks(t *testing.T) {
	layer, err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), func(tw *tar.Writer) error { return addFolder(tw, tree(t)) })
	if err != nil {
		t.Fatal(err)
	}
	r, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := []header{
		{"alias", tar.TypeSymlink, 0o777, "bin/tool", ""},
		{"bin/", tar.TypeDir, 0o755, "", ""},
		{"bin/tool", tar.TypeReg, 0o4755, "", "tool"},
		{"bin/zz", tar.TypeLink, 0o4755, "bin/tool", ""},
		{"etc/", tar.TypeDir, 0o711, "", ""},
		{"etc/secret", tar.TypeReg, 0o600, "", "secret"},
	}
	if diff := cmp.Diff(want, headers(t, r)); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
}

func TestWriteLayer_IsReproducible(t *testing.T) {
	var digests []v1.Hash
	host := t.TempDir()
	write(t, filepath.Join(host, caBundles[0]), "certificates")
	for range 2 {
		// The same content, created at another time and place.
		root := tree(t)
		layer, err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), func(tw *tar.Writer) error {
			if err := addBase(tw, host); err != nil {
				return err
			}
			return addFolder(tw, root)
		})
		if err != nil {
			t.Fatal(err)
		}
		digest, err := layer.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("equal content made layers %v", digests)
	}
}

func TestAssemble_MakesAnOCIImage(t *testing.T) {
	p := Program{Entrypoint: []string{"/userservice"}, User: "65532:65532"}
	img, err := assemble(v1.Config{Entrypoint: p.Entrypoint, User: p.User}, mustLayers(t, imageOf(t, "one"))...)
	if err != nil {
		t.Fatal(err)
	}
	if err := new(Cache).Verify(t.Context(), img); err != nil {
		t.Error(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Config.User != "65532:65532" || !slices.Equal(file.Config.Entrypoint, p.Entrypoint) {
		t.Errorf("it starts %v as %q", file.Config.Entrypoint, file.Config.User)
	}
	if file.OS != "linux" || file.Architecture != runtime.GOARCH || len(file.RootFS.DiffIDs) != 1 {
		t.Errorf("it is for %s/%s with %d layers", file.OS, file.Architecture, len(file.RootFS.DiffIDs))
	}
	m, _ := img.Manifest()
	if m.MediaType != types.OCIManifestSchema1 || m.Config.MediaType != types.OCIConfigJSON {
		t.Errorf("media types %s and %s are not OCI's", m.MediaType, m.Config.MediaType)
	}
}

func mustLayers(t *testing.T, img v1.Image) []v1.Layer {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

// TestProgramBuild_IsReproducible compiles a real, tiny program.
func TestProgramBuild_IsReproducible(t *testing.T) {
	src := t.TempDir()
	write(t, filepath.Join(src, "go.mod"), "module example.org/tiny\n\ngo 1.24\n")
	write(t, filepath.Join(src, "cmd/tiny/main.go"), "package main\n\nfunc main() { println(\"tiny\") }\n")
	p := Program{Binary: Binary{Package: "./cmd/tiny"}, Entrypoint: []string{"/tiny"}, User: "65532"}
	build := func() v1.Image {
		w := &Workshop{SourceTree: src, Scratch: t.TempDir(), Doing: func(string) {}}
		img, err := p.Build(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	first := build()
	if digestOf(t, first) != digestOf(t, build()) {
		t.Error("built twice, it has two digests")
	}
	file, err := first.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Config.User != "65532" || !slices.Equal(file.Config.Entrypoint, []string{"/tiny"}) || file.Config.WorkingDir != "/" {
		t.Errorf("config %+v", file.Config)
	}
	r, err := mustLayers(t, first)[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	modes := map[string]int64{}
	for _, h := range headers(t, r) {
		modes[h.Name] = h.Mode
	}
	if modes["tiny"] != 0o755 || modes["tmp/"] != 0o1777 {
		t.Errorf("the program has mode %o, and /tmp %o", modes["tiny"], modes["tmp/"])
	}
}

func TestCompile_ErrorContainsTheCompilersOutput(t *testing.T) {
	src := t.TempDir()
	write(t, filepath.Join(src, "go.mod"), "module example.org/broken\n\ngo 1.24\n")
	write(t, filepath.Join(src, "main.go"), "package main\n\nfunc main() { undefinedName() }\n")
	var doing []string
	w := &Workshop{SourceTree: src, Scratch: t.TempDir(), Doing: func(s string) { doing = append(doing, s) }}
	_, err := w.compile(t.Context(), Binary{Package: "./broken/.."}, w.Scratch)
	if err == nil {
		t.Fatal("no error")
	}
	_, err = w.compile(t.Context(), Binary{Package: "example.org/broken"}, w.Scratch)
	wantError(t, err, nil, "compiling broken", "undefined: undefinedName")
	if !slices.Contains(doing, "compiling broken") {
		t.Errorf("said %v", doing)
	}
}

func TestWriteArchive_OmitsLayersOfTheReader(t *testing.T) {
	// The third layer equals the first.
	img := imageOf(t, "one", "two", "one")
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"oci-layout", "index.json", "blobs/sha256/" + digestOf(t, img)[len("sha256:"):], "blobs/sha256/" + m.Config.Digest.Hex}
	one, two := "blobs/sha256/"+m.Layers[0].Digest.Hex, "blobs/sha256/"+m.Layers[1].Digest.Hex
	for _, c := range []struct {
		sentence string
		have     map[string]bool
		want     []string
	}{
		{"a reader with nothing gets every blob once", nil, append(slices.Clone(own), one, two)},
		{"a reader gets only what it lacks", map[string]bool{m.Layers[0].Digest.String(): true}, append(slices.Clone(own), two)},
		{"a reader with all layers gets the manifest and the config", map[string]bool{m.Layers[0].Digest.String(): true, m.Layers[1].Digest.String(): true}, own},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var archive bytes.Buffer
			if err := WriteArchive(&archive, "example.org/thing:1", img, c.have); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, h := range headers(t, &archive) {
				names = append(names, h.Name)
			}
			if diff := cmp.Diff(c.want, names); diff != "" {
				t.Errorf("blobs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteArchive_IsAnOCILayout(t *testing.T) {
	img := imageOf(t, "one", "two")
	file := filepath.Join(t.TempDir(), "archive.tar")
	if err := writeArchive(file, named{"example.org/thing:1", img}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	for _, h := range headers(t, f) {
		write(t, filepath.Join(dir, h.Name), h.Text)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Manifests) != 1 || m.Manifests[0].Annotations["io.containerd.image.name"] != "example.org/thing:1" {
		t.Fatalf("index %+v", m)
	}
	got, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := new(Cache).Verify(t.Context(), got); err != nil {
		t.Error(err)
	}
	if digestOf(t, got) != digestOf(t, img) {
		t.Error("another image came out")
	}
}
