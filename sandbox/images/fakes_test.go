package images

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// fakeRecipe is a recipe whose key depends on Value and on the file it names.
type fakeRecipe struct {
	Value string
	files []string
	needs []string
	build func(context.Context, *Workshop) (v1.Image, error)
}

func (r fakeRecipe) Sources() []string { return r.files }
func (r fakeRecipe) Needs() []string   { return r.needs }
func (r fakeRecipe) Build(ctx context.Context, w *Workshop) (v1.Image, error) {
	return r.build(ctx, w)
}

// imageOf makes an image with one layer for each text; equal texts make equal layers.
func imageOf(t *testing.T, texts ...string) v1.Image {
	t.Helper()
	img, err := layersOf(t.TempDir(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func layersOf(folder string, texts ...string) (v1.Image, error) {
	var layers []v1.Layer
	for _, text := range texts {
		file := filepath.Join(folder, text)
		if err := os.WriteFile(file, []byte(strings.Repeat(text, 100)), 0o644); err != nil {
			return nil, err
		}
		layer, err := writeLayer(file+".tar", func(tw *tar.Writer) error { return addFile(tw, text, file, 0o644) })
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return assemble(v1.Config{Entrypoint: []string{"/" + texts[0]}}, layers...)
}

func newCache(t *testing.T) *Cache {
	t.Helper()
	c, err := OpenCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, c *Cache, ref, key string, img v1.Image) (Entry, v1.Image) {
	t.Helper()
	e, kept, err := c.Put(t.Context(), Entry{Ref: ref, Key: key, Origin: Built}, img)
	if err != nil {
		t.Fatal(err)
	}
	return e, kept
}

func digestOf(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func layerFile(t *testing.T, c *Cache, img v1.Image, n int) string {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return c.blob(m.Layers[n].Digest)
}

// flip changes one byte of a file and keeps its size.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0xff
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// counter is a transport that counts requests. A nil base is a machine without a network.
type counter struct {
	base  http.RoundTripper
	calls atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	if c.base == nil {
		return nil, errors.New("no route to host")
	}
	return c.base.RoundTrip(r)
}

// registryWith serves images under the given repository names and returns its host.
func registryWith(t *testing.T, images map[string]v1.Image) (host string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	for repository, img := range images {
		ref, err := name.ParseReference(host + "/" + repository)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// shop is a store with one image to get, and the events while getting it.
type shop struct {
	store  Store
	image  Image
	net    *counter
	builds int
	events []string
	notes  []string
}

func newShop(t *testing.T, pull string, network bool) *shop {
	t.Helper()
	s := &shop{net: &counter{}}
	if network {
		s.net.base = http.DefaultTransport
	}
	tree := t.TempDir()
	write(t, filepath.Join(tree, "main.go"), "package main")
	s.store = Store{
		Cache: newCache(t), Registry: &Registry{transport: s.net}, Mode: Auto, SourceTree: tree,
		Observe: func(e Event) {
			what := e.Doing
			switch {
			case e.Done != nil:
				what = string(e.Done.How)
			case e.Note != "":
				what = "note"
				s.notes = append(s.notes, e.Ref+": "+e.Note)
			}
			s.events = append(s.events, what)
		},
	}
	s.image = Image{Ref: "example.org/thing:1", Pull: pull, Recipe: fakeRecipe{
		files: []string{"main.go"},
		build: func(_ context.Context, w *Workshop) (v1.Image, error) {
			s.builds++
			w.Doing("building")
			return layersOf(w.Scratch, "built")
		},
	}}
	return s
}
