package images

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func save(t *testing.T, c *Cache, all []Ready, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Save(&b, all, files); err != nil {
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

func TestABundleCarriesImagesToAMachineWithNothing(t *testing.T) {
	from, to, folder := newCache(t), newCache(t), t.TempDir()
	extra := filepath.Join(t.TempDir(), "chart.tgz")
	write(t, extra, "chart")
	all := twoReady(t, from)
	bundle := save(t, from, all, map[string]string{"charts/chart.tgz": extra})
	entries, err := to.Load(bytes.NewReader(bundle), folder)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "charts/chart.tgz")); err != nil || string(text) != "chart" {
		t.Errorf("the file beside the images has %q, %v", text, err)
	}
	net := &counter{}
	store := Store{Cache: to, Registry: &Registry{transport: net}, Mode: Auto} // no network, no checkout
	for _, want := range all {
		got, err := store.Get(t.Context(), Image{Ref: want.Ref, Pull: want.Ref, Recipe: fakeRecipe{}})
		if err != nil {
			t.Fatal(err)
		}
		if got.How != Present || got.Digest != want.Digest || net.calls.Load() != 0 {
			t.Errorf("%s is %s with digest %s after %d pulls", got.Ref, got.How, got.Digest, net.calls.Load())
		}
		if err := to.Verify(got.Image); err != nil {
			t.Error(err)
		}
	}
}

func TestADamagedImageIsNotSaved(t *testing.T) {
	c := newCache(t)
	all := twoReady(t, c)
	flip(t, layerFile(t, c, all[1].Image, 1))
	wantError(t, c.Save(io.Discard, all, nil), ErrCorrupt, "saving example.org/two:1")
}

func TestABundleThatWasCutShortLeavesNoHalfImage(t *testing.T) {
	from, to := newCache(t), newCache(t)
	bundle := save(t, from, twoReady(t, from)[:1], nil)
	_, err := to.Load(bytes.NewReader(bundle[:len(bundle)/2]), t.TempDir())
	wantError(t, err, nil, "bundle", "sandbox images save")
	if entries, err := to.Entries(); err != nil || len(entries) != 0 {
		t.Errorf("entries %v, %v", entries, err)
	}
}

func TestABundleCannotWriteElsewhere(t *testing.T) {
	for _, c := range []struct{ sentence, name, text string }{
		{"a file that climbs out of the folder", "files/../../evil", "x"},
		{"a blob that climbs out of the cache", "blobs/../../evil", "x"},
		{"an absolute name", "/evil", "x"},
		{"a file of no kind that a bundle has", "other/evil", "x"},
		{"an entry whose key climbs out of the cache", "entries/a.json", `{"ref":"a","key":"../../evil"}`},
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
			if _, err := cache.Load(&b, filepath.Join(root, "a", "folder")); err == nil {
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
