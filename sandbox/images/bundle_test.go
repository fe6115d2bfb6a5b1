package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
)

func save(t *testing.T, c *Cache, all []Ready, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Save(t.Context(), &b, all, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func twoReady(t *testing.T, c *Cache) []Ready {
	t.Helper()
	var all []Ready
	for _, own := range []string{"one", "two"} {
		e, img := put(t, c, "example.org/"+own+":1", own, imageOf(t, "shared", own))
		all = append(all, Ready{Entry: e, Image: img})
	}
	return all
}

func TestBundle_RoundTripIntoAnEmptyCache(t *testing.T) {
	from, to, folder := newCache(t), newCache(t), t.TempDir()
	extra := filepath.Join(t.TempDir(), "chart.tgz")
	write(t, extra, "chart")
	all := twoReady(t, from)
	bundle := save(t, from, all, map[string]string{"charts/chart.tgz": extra})
	entries, err := to.Load(t.Context(), bytes.NewReader(bundle), folder)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "charts/chart.tgz")); err != nil || string(text) != "chart" {
		t.Errorf("the file next to the images has %q, %v", text, err)
	}
	net := &counter{}
	// There is no network and no checkout.
	store := Store{Cache: to, Registry: &Registry{transport: net}, Mode: Auto}
	for _, want := range all {
		got, err := store.Get(t.Context(), Image{Ref: want.Ref, Pull: want.Ref, Recipe: fakeRecipe{}})
		if err != nil {
			t.Fatal(err)
		}
		if got.How != Present || got.Digest != want.Digest || net.calls.Load() != 0 {
			t.Errorf("%s is %s with digest %s after %d pulls", got.Ref, got.How, got.Digest, net.calls.Load())
		}
		if err := to.Verify(t.Context(), got.Image); err != nil {
			t.Error(err)
		}
	}
}

func TestSave_RefusesADamagedImage(t *testing.T) {
	c := newCache(t)
	all := twoReady(t, c)
	flip(t, layerFile(t, c, all[1].Image, 1))
	wantError(t, c.Save(t.Context(), io.Discard, all, nil), ErrCorrupt, "saving example.org/two:1")
}

func TestLoad_TruncatedBundleLeavesNoIncompleteImage(t *testing.T) {
	from, to := newCache(t), newCache(t)
	bundle := save(t, from, twoReady(t, from)[:1], nil)
	_, err := to.Load(t.Context(), bytes.NewReader(bundle[:len(bundle)/2]), t.TempDir())
	wantError(t, err, nil, "bundle", "sandbox images save")
	if entries, err := to.Entries(); err != nil || len(entries) != 0 {
		t.Errorf("entries %v, %v", entries, err)
	}
}

// rebundle rewrites a bundle. change returns the new content of each file, or nil to leave the file out.
func rebundle(t *testing.T, bundle []byte, change func(name string, data []byte) []byte) []byte {
	t.Helper()
	in, err := zstd.NewReader(bytes.NewReader(bundle))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(z)
	for tr := tar.NewReader(in); ; {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if data = change(hdr.Name, data); data == nil {
			continue
		}
		if err := addStream(tw, hdr.Name, int64(len(data)), bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLoad_RefusesAnInvalidBundle(t *testing.T) {
	from := newCache(t)
	all := twoReady(t, from)[:1]
	layer, err := filepath.Rel(from.dir, layerFile(t, from, all[0].Image, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sentence string
		change   func(name string, data []byte) []byte
		says     string
	}{
		{"a layer with another content", func(name string, data []byte) []byte {
			if name == layer {
				data[len(data)/2] ^= 0xff
			}
			return data
		}, "reading " + layer + " of the bundle"},
		{"a layer that is not there", func(name string, data []byte) []byte {
			if name == layer {
				return nil
			}
			return data
		}, "lacks a part of example.org/one:1"},
		{"an entry for another reference's key", func(name string, data []byte) []byte {
			if strings.HasPrefix(name, "entries/") {
				return bytes.Replace(data, []byte("example.org/one:1"), []byte("example.org/two:1"), 1)
			}
			return data
		}, "does not match its name"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			to := newCache(t)
			bundle := rebundle(t, save(t, from, all, nil), c.change)
			_, err := to.Load(t.Context(), bytes.NewReader(bundle), t.TempDir())
			wantError(t, err, nil, c.says, "\ntry: write it again with `sandbox images save`")
			if entries, err := to.Entries(); err != nil || len(entries) != 0 {
				t.Errorf("entries %v, %v", entries, err)
			}
			if exists(filepath.Join(to.dir, layer)) {
				t.Error("the layer is there")
			}
		})
	}
}

func TestLoad_ReplacesTheCachedImage(t *testing.T) {
	from, to := newCache(t), newCache(t)
	all := twoReady(t, from)
	_, old := put(t, to, all[0].Ref, "built before", imageOf(t, "shared", "old"))
	_, other := put(t, to, "example.org/other:1", "other", imageOf(t, "other"))
	if _, err := to.Load(t.Context(), bytes.NewReader(save(t, from, all, nil)), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	entries, err := to.Entries()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		if got[e.Ref] != "" {
			t.Errorf("%s appears twice", e.Ref)
		}
		got[e.Ref] = e.Digest
	}
	want := map[string]string{all[0].Ref: all[0].Digest, all[1].Ref: all[1].Digest, "example.org/other:1": digestOf(t, other)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if exists(layerFile(t, to, old, 1)) {
		t.Error("the old image's own layer is still there")
	}
	for _, r := range all {
		img, err := to.image(hashOf(t, r.Digest))
		if err == nil {
			err = to.Verify(t.Context(), img)
		}
		if err != nil {
			t.Errorf("%s: %v", r.Ref, err)
		}
	}
}

func hashOf(t *testing.T, digest string) v1.Hash {
	t.Helper()
	h, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLoad_RefusesPathsOutsideTheFolder(t *testing.T) {
	for _, c := range []struct{ sentence, name, text string }{
		{"a file outside the folder", "files/../../evil", "x"},
		{"a blob outside the cache", "blobs/../../evil", "x"},
		{"an absolute name", "/evil", "x"},
		{"a file of an unknown kind", "other/evil", "x"},
		{"an entry whose key is outside the cache", "entries/a.json", `{"ref":"a","key":"../../evil"}`},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var b bytes.Buffer
			z, err := zstd.NewWriter(&b)
			if err != nil {
				t.Fatal(err)
			}
			tw := tar.NewWriter(z)
			if err := addStream(tw, c.name, int64(len(c.text)), strings.NewReader(c.text)); err != nil {
				t.Fatal(err)
			}
			if err := tw.Close(); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			cache, err := OpenCache(filepath.Join(root, "a", "cache"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cache.Load(t.Context(), &b, filepath.Join(root, "a", "folder")); err == nil {
				t.Error("no error")
			}
			_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, _ error) error {
				if strings.HasPrefix(filepath.Base(path), "evil") {
					t.Errorf("it wrote %s", path)
				}
				return nil
			})
		})
	}
}
