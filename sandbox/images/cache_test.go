package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

// wantError checks an error's chain and that its text has all the parts.
func wantError(t *testing.T, err, is error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("error %q is not %q", err, is)
	}
	fixture.WantError(t, err, parts...)
}

func readAll(t *testing.T, img v1.Image) error {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCache_GetReturnsWhatWasPut(t *testing.T) {
	dir := t.TempDir()
	c, err := OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	img := imageOf(t, "one", "two")
	want, _ := put(t, c, "ref:1", "key", img)
	// This stands for another process.
	again, err := OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, kept, err := again.Get("key")
	if err != nil {
		t.Fatal(err)
	}
	if got != want || got.Digest != digestOf(t, img) || got.Ref != "ref:1" || got.Origin != Built {
		t.Errorf("entry %+v, want %+v", got, want)
	}
	m, _ := img.Manifest()
	if size := m.Layers[0].Size + m.Layers[1].Size; got.Size != size {
		t.Errorf("size %d, want the %d bytes of both layers", got.Size, size)
	}
	if digestOf(t, kept) != digestOf(t, img) {
		t.Error("another image came back")
	}
	if err := again.Verify(t.Context(), kept); err != nil {
		t.Errorf("the image that came back is not valid: %v", err)
	}
}

func TestCache_GetWithoutAnEntry(t *testing.T) {
	c := newCache(t)
	if _, _, err := c.Get("key"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a missing entry is not there, and not damaged: %v", err)
	}
	if err := c.Remove(t.Context(), "key"); err != nil {
		t.Errorf("removing what is not there is fine: %v", err)
	}
}

func TestCacheRemove_DeletesEntryAndBlobs(t *testing.T) {
	c := newCache(t)
	_, img := put(t, c, "ref:1", "key", imageOf(t, "one"))
	blob := layerFile(t, c, img, 0)
	if !exists(blob) {
		t.Fatal("the layer was never there")
	}
	if err := c.Remove(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get("key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the entry is still there: %v", err)
	}
	if exists(blob) {
		t.Error("the unused layer is still there")
	}
}

func TestCacheGet_FindsDamage(t *testing.T) {
	truncate := func(t *testing.T, path string) {
		if err := os.Truncate(path, 10); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	layer := func(c *Cache, m *v1.Manifest, _ Entry) string { return c.blob(m.Layers[0].Digest) }
	config := func(c *Cache, m *v1.Manifest, _ Entry) string { return c.blob(m.Config.Digest) }
	manifest := func(c *Cache, _ *v1.Manifest, e Entry) string {
		return filepath.Join(c.dir, "blobs", "sha256", strings.TrimPrefix(e.Digest, "sha256:"))
	}
	entry := func(c *Cache, _ *v1.Manifest, e Entry) string { return c.entryFile(e.Key) }
	for _, c := range []struct {
		sentence string
		part     func(*Cache, *v1.Manifest, Entry) string
		damage   func(*testing.T, string)
	}{
		{"a truncated layer", layer, truncate},
		{"a missing layer", layer, remove},
		{"a flipped byte in a layer", layer, flip},
		{"a truncated config", config, truncate},
		{"a missing config", config, remove},
		{"a flipped byte in a config", config, flip},
		{"a truncated manifest", manifest, truncate},
		{"a missing manifest", manifest, remove},
		{"a flipped byte in a manifest", manifest, flip},
		{"a truncated entry", entry, truncate},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			cache := newCache(t)
			e, img := put(t, cache, "ref:1", "key", imageOf(t, "one", "two"))
			m, err := img.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			c.damage(t, c.part(cache, m, e))
			wantError(t, cache.VerifyAll(t.Context()), ErrCorrupt)
			_, damaged, err := cache.Get("key")
			if err == nil {
				err = WriteArchive(io.Discard, "ref:1", damaged, nil)
			}
			wantError(t, err, ErrCorrupt)

			if err := cache.Remove(t.Context(), "key"); err != nil {
				t.Fatal(err)
			}
			_, repaired := put(t, cache, "ref:1", "key", imageOf(t, "one", "two"))
			if err := cache.Verify(t.Context(), repaired); err != nil {
				t.Errorf("after a new Put it is still damaged: %v", err)
			}
		})
	}
}

func TestCacheVerify_FindsAFlippedByte(t *testing.T) {
	c := newCache(t)
	_, img := put(t, c, "ref:1", "key", imageOf(t, "one"))
	flip(t, layerFile(t, c, img, 0))
	wantError(t, c.Verify(t.Context(), img), ErrCorrupt)
}

func TestCacheVerifyAll_NamesDamagedImages(t *testing.T) {
	c := newCache(t)
	put(t, c, "ref:1", "one", imageOf(t, "one"))
	_, img := put(t, c, "ref:2", "two", imageOf(t, "two"))
	if err := c.VerifyAll(t.Context()); err != nil {
		t.Fatalf("nothing is damaged: %v", err)
	}
	flip(t, layerFile(t, c, img, 0))
	wantError(t, c.VerifyAll(t.Context()), ErrCorrupt, "ref:2")
	if err := os.WriteFile(c.entryFile("one"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.VerifyAll(t.Context()), ErrCorrupt, c.entryFile("one"))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	c = newCache(t)
	put(t, c, "ref:1", "one", imageOf(t, "one"))
	if err := c.VerifyAll(stopped); !errors.Is(err, context.Canceled) || errors.Is(err, ErrCorrupt) {
		t.Errorf("cancellation must not count as damage: %v", err)
	}
}

func TestCachePut_ReplacesTheImageOfTheReference(t *testing.T) {
	c := newCache(t)
	_, old := put(t, c, "ref:1", "old", imageOf(t, "shared", "old"))
	_, other := put(t, c, "ref:2", "other", imageOf(t, "shared", "other"))
	shared, dropped := layerFile(t, c, old, 0), layerFile(t, c, old, 1)
	oldDigest, _ := v1.NewHash(digestOf(t, old))
	put(t, c, "ref:1", "new", imageOf(t, "new"))
	if _, _, err := c.Get("old"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the older entry of the reference is still there: %v", err)
	}
	for path, want := range map[string]bool{shared: true, layerFile(t, c, other, 1): true, dropped: false, c.blob(oldDigest): false} {
		if exists(path) != want {
			t.Errorf("blob %s is there: %v, want %v", filepath.Base(path), !want, want)
		}
	}
	for _, key := range []string{"new", "other"} {
		if _, img, err := c.Get(key); err != nil || c.Verify(t.Context(), img) != nil {
			t.Errorf("%s did not survive: %v", key, err)
		}
	}
}

func TestCachePut_Concurrent(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for n := range 8 {
		img := imageOf(t, "shared", fmt.Sprint("own", n))
		all.Go(func() {
			// Each cache stands for a process of its own.
			c, err := OpenCache(dir)
			if err != nil {
				t.Error(err)
				return
			}
			// Every later round sweeps.
			for round := range 3 {
				if _, _, err := c.Put(t.Context(), Entry{Ref: fmt.Sprint("ref:", n), Key: fmt.Sprintf("key-%d-%d", n, round)}, img); err != nil {
					t.Errorf("putting image %d: %v", n, err)
				}
			}
		})
	}
	all.Wait()
	c, err := OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := c.Entries()
	if err != nil || len(entries) != 8 {
		t.Fatalf("%d entries (%v), want one for each of 8 references", len(entries), err)
	}
	for _, e := range entries {
		_, img, err := c.Get(e.Key)
		if err != nil {
			t.Errorf("%s: %v", e.Key, err)
		} else if err := c.Verify(t.Context(), img); err != nil {
			t.Errorf("%s: %v", e.Key, err)
		}
	}
}

func TestCacheRemove_DeletesASharedDamagedBlob(t *testing.T) {
	c := newCache(t)
	_, one := put(t, c, "ref:1", "one", imageOf(t, "shared", "one"))
	put(t, c, "ref:2", "two", imageOf(t, "shared", "two"))
	flip(t, layerFile(t, c, one, 0))
	if err := c.Remove(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get("two"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the other image lacks a layer, and does not say so: %v", err)
	}
	_, one = put(t, c, "ref:1", "one", imageOf(t, "shared", "one"))
	if err := c.Verify(t.Context(), one); err != nil {
		t.Errorf("after a new Put it has the damaged layer again: %v", err)
	}
}
